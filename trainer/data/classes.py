"""The names of classes: labels that are words numbered by name, and two lists compared; standard library only."""

from collections.abc import Iterable, Sequence

from scalectl.trainer.data.facts import Unreadable


def numbered(words: Iterable[str], classes: tuple[str, ...], place: str) -> tuple[str, ...]:
    """The distinct words in the order of their names, in which they are numbered from 0, as folders are.

    Those of a test split have the numbers of `classes`, the words of the training split. Raises Unreadable, with the
    place, where one is not among them.
    """
    names = tuple(sorted(set(words)))
    if classes and (strange := sorted(set(names) - set(classes))):
        raise Unreadable(f"{place}: {strange[0]!r} is no class of the training images")
    return classes or names


def difference(names: Sequence[str], where: str, second: Sequence[str], elsewhere: str) -> str:
    """The first class that has two names, as a message; empty where none has, or one side has no names."""
    if not names or not second:
        return ""
    for number, (name, other) in enumerate(zip(names, second, strict=False)):
        if name != other:
            return f"class {number} is {name!r} {where} and {other!r} {elsewhere}"
    if len(names) != len(second):
        return f"there are {len(names):,} class names {where} and {len(second):,} {elsewhere}"
    return ""
