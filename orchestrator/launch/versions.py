"""The versions of packages against those that scalectl needs, and those that it was tested with."""

from collections.abc import Mapping
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

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


def incomparable(installed: Mapping[str, str]) -> list[str]:
    """The packages with a version that is not written as PEP 440 has it."""
    return [name for name, number in installed.items() if _parsed(number) is None]


def too_old(installed: Mapping[str, str]) -> dict[str, str]:
    """The packages that are older than scalectl needs, each with the version that it needs at least."""
    needed = {
        found.name: Version(least.version)
        for found in map(Requirement, requires("scalectl") or ())
        if not found.marker
        for least in found.specifier
        if least.operator == ">="
    }
    return {
        name: str(needed[name])
        for name, number in installed.items()
        if name in needed and (found := _parsed(number)) and Version(found.base_version) < needed[name]
    }


def too_new(installed: Mapping[str, str]) -> dict[str, str]:
    """The packages of a newer series than any that was tested, each with the newest that was."""
    return {
        name: NEWEST[name]
        for name, number in installed.items()
        if name in NEWEST and (found := _parsed(number)) and _series(found) > _series(Version(NEWEST[name]))
    }


def _parsed(number: str) -> Version | None:
    try:
        return Version(number)
    except InvalidVersion:
        return None


def _series(version: Version) -> tuple[int, int]:
    """What of a version tells what a program can rely on: 0.10 of 0.10.2."""
    return version.major, version.minor
