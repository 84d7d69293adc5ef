"""Names that code of one's own adds, where a file may say them, and the keys that only such code has."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema, WrapValidator

from scalectl.orchestrator.errors import Finding, KeyPath, did_you_mean
from scalectl.orchestrator.experiment.paths import NoPath, absolute
from scalectl.orchestrator.experiment.values import Added, refusal, shown
from scalectl.trainer import own, own_code
from scalectl.trainer.spec import Optimizer, Schedule, Upstream


def _added(kind: str, words: Any) -> Added:
    return Added(get_args(words), partial(own.names, kind))


_OPTIMIZER, _SCHEDULE, _METRIC = (
    _added("optimizer", Optimizer),
    _added("schedule", Schedule),
    _added("metric", Upstream),
)
OptimizerName = Annotated[Optimizer, WrapValidator(_OPTIMIZER), _OPTIMIZER]
ScheduleName = Annotated[Schedule, WrapValidator(_SCHEDULE), _SCHEDULE]
UpstreamMetric = Annotated[Upstream, WrapValidator(_METRIC), _METRIC]


def _architecture(value: Any) -> str:
    mine = own.names("model")
    if isinstance(value, str) and value in mine:
        return mine[value]
    hint = did_you_mean(str(value), mine) or "name the file that adds it: code: [mine.py]"
    raise refusal(f"{shown(value)} is no architecture that code adds", hint)


OwnArchitecture = Annotated[str, PlainValidator(_architecture), WithJsonSchema({"type": "string"})]


def _option(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    raise refusal(f"{shown(value)} is neither a number nor text, true or false")


_OPTION_JSON = {"type": ["number", "string", "boolean"]}
Option = Annotated[bool | int | float | str, PlainValidator(_option), WithJsonSchema(_OPTION_JSON)]


def _file(value: Any, info: ValidationInfo) -> Path:
    folder = Path((info.context or {}).get("folder", "."))
    try:
        return absolute(value, folder)
    except (NoPath, TypeError):
        raise refusal(f"{shown(value)} is not a path") from None


CodeFile = Annotated[Path, PlainValidator(_file), WithJsonSchema({"type": "string", "minLength": 1})]


def loaded(document: Mapping[str, Any], folder: Path) -> tuple[tuple[own_code.Code, ...], list[Finding]]:
    """The code that a document names, which has run in this process then, and what is wrong with it.

    Names of a study mean what its own code adds, whatever other code this process has.
    """
    code: dict[KeyPath, own_code.Code] = {}
    findings = []
    for place, value in _named(document.get("code")):
        try:
            code[place] = own_code.read(absolute(value, folder), value)
        except (own_code.BadCode, NoPath) as error:
            findings.append(Finding(place, str(error), HINT))
    try:
        own.use([] if findings else [*code.values()])
    except own_code.BadCode as error:
        findings += [Finding(place, str(error), HINT) for place, read in code.items() if read is error.code]
    return tuple(code.values()), findings


HINT = "put this right: names that it adds are not known before"


def _named(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the files that are text, with their places; what isn't is for the other checks to say."""
    if isinstance(value, list | tuple):
        yield from ((("code", place), item) for place, item in enumerate(value) if isinstance(item, str))
