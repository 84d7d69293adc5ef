"""The laws that a study asks for, as text in its row of results.db."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.rules import Condition, Rule


def of_fits(fits: Mapping[str, Fit]) -> str:
    """The laws as a JSON object by name; `hold_out` has an operator and the values of which any will do, by setting."""
    return json.dumps({name: {**dict(fit), "hold_out": _conditions(fit.hold_out)} for name, fit in fits.items()})


def fits_of(text: str) -> dict[str, Fit]:
    """The laws that `of_fits` wrote."""
    laws = json.loads(text)
    # not checked anew: the law may be of code that this process doesn't have, which other verbs do without
    return {
        name: Fit.model_construct(None, **{**keys, "hold_out": _rule(keys["hold_out"])}) for name, keys in laws.items()
    }


def _conditions(rule: Rule) -> dict[str, Any]:
    return {setting: asdict(condition) for setting, condition in rule.conditions().items()}


def _rule(conditions: Mapping[str, Any]) -> Rule:
    """The rule of these conditions, whose values were checked before they were written."""
    checked: dict[str, Any] = {
        setting: Condition(condition["operator"], tuple(condition["values"]))
        for setting, condition in conditions.items()
    }
    return Rule.model_construct(None, **checked)


def fits_of_document(text: str) -> dict[str, Fit]:
    """The laws of an experiments.yaml, or none where they are only valid together with the overrides of its launch.

    For studies of versions that kept no laws: overrides are lost.
    """
    from scalectl.orchestrator.experiment.yaml_text import load  # which loads a parser of YAML

    section = load(text, "").value.get("fits") or {}
    try:
        return TypeAdapter(dict[str, Fit]).validate_python(section)
    except ValidationError:
        return {}
