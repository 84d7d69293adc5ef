"""The versions of packages against those that scalectl needs, and those that it was tested with."""

import re
from collections.abc import Mapping
from importlib.metadata import requires

NEWEST = {  # that tests have run with; tests/test_doctor.py holds these to requirements.lock
    "jax": "0.12.0.1",
    "jaxlib": "0.12.0.1",
    "flax": "0.12.12",
    "optax": "0.2.8",
    "ray": "2.60.0",
    "sqlalchemy": "2.1.9",
    "numpy": "2.5.5",
    "scipy": "1.18.1",
    "pandas": "3.1.1",
    "matplotlib": "3.11.2",
}
_SERIES = 2  # numbers of a version that tell what a program can rely on
_NEEDED = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)\s*$")  # of a requirement without extras or markers


def too_old(installed: Mapping[str, str]) -> dict[str, str]:
    """The packages that are older than scalectl needs, each with the version that it needs at least."""
    needed = {found[1]: found[2] for text in requires("scalectl") or () if (found := _NEEDED.match(text))}
    return {
        name: needed[name]
        for name, number in installed.items()
        if name in needed and _numbers(number) < _numbers(needed[name])
    }


def too_new(installed: Mapping[str, str]) -> dict[str, str]:
    """The packages of a newer series than any that was tested, each with the newest that was."""
    return {
        name: NEWEST[name]
        for name, number in installed.items()
        if name in NEWEST and _numbers(number)[:_SERIES] > _numbers(NEWEST[name])[:_SERIES]
    }


def _numbers(version: str) -> list[int]:
    """The numbers of a version, for example of 0.10.2.dev7: 0, 10 and 2."""
    release = re.match(r"[\d.]*", version)
    return [int(number) for number in (release[0] if release else "").split(".") if number]
