"""The names of classes: labels that are words numbered by name, and two lists compared; standard library only."""

from collections.abc import Iterable, Sequence


def numbered(words: Iterable[str]) -> tuple[str, ...]:
    """The distinct words in the order of their names, in which they are numbered from 0, as folders are."""
    return tuple(sorted(set(words)))


def difference(names: Sequence[str], where: str, others: Sequence[str], elsewhere: str) -> str:
    """The first class that has two names, as a message; empty where none has, or one side has no names."""
    if not names or not others:
        return ""
    for number, (name, other) in enumerate(zip(names, others, strict=False)):
        if name != other:
            return f"class {number} is {name!r} {where} and {other!r} {elsewhere}"
    if len(names) != len(others):
        return f"there are {len(names):,} class names {where} and {len(others):,} {elsewhere}"
    return ""
