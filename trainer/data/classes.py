"""The names of classes: labels that are words numbered by name, and two lists compared; standard library only."""

import re
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


def is_label(text: str) -> bool:
    """Whether a text says of which class something is: not where it is empty, a number below 0, or no number (nan)."""
    return not (text == "" or text.casefold() == "nan" or re.match(r"-\d", text))


def stray(labels: Sequence[str]) -> tuple[int, str] | None:
    """The place of a label that is a mistake among others, with what is wrong; None where none is.

    That is the first of the rarer kind where words are mixed with numbers of classes. 208 and 911, models of cars, are
    none, for most numbers below them are missing; nor are 0 to 9 beside a to z, which keep their order as words.
    """
    numbers = {label for label in labels if label.isdecimal()}
    ordered = sorted(numbers, key=int)
    if sorted(numbers) == ordered or int(ordered[-1]) > 2 * len(numbers):
        return None
    are_numbers = [label.isdecimal() for label in labels]
    if all(are_numbers):
        return None
    rarer = 2 * sum(are_numbers) < len(labels)
    place, (kind, others) = are_numbers.index(rarer), ("number", "words") if rarer else ("word", "numbers")
    return place, f"the label {labels[place]!r} is a {kind}, and most are {others}: class 10 would come before 2"


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
