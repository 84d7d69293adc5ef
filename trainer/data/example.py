"""Records as TensorFlow's datasets write them: the features of a tf.train.Example, read from its protobuf bytes.

The messages are those of tensorflow/core/example/{example,feature}.proto: an Example holds Features, a map of names to
Feature, each of which holds one list of bytes, floats or whole numbers.
"""

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
BYTES, FLOATS, WHOLE = 1, 2, 3  # fields of a Feature


class BadRecord(ValueError):  # noqa: N818 - what is wrong lies in the record
    """A record that can't be read, or is no tf.train.Example; the message says why, but not where."""


def features(record: Any) -> dict[str, memoryview]:
    """Return the features of a record by name, each still as bytes; raises BadRecord."""
    try:
        return dict(_features(memoryview(record)))
    except (LookupError, TypeError, ValueError) as error:
        raise BadRecord("not a tf.train.Example") from error


def one_bytes(feature: memoryview) -> memoryview | None:
    """Return the first bytes of a feature, None where it holds none."""
    return next((value for _, value in _lists(feature, BYTES)), None)


def whole_numbers(feature: memoryview) -> list[int]:
    """Return the whole numbers of a feature, packed or not."""
    found = []
    for kind, value in _lists(feature, WHOLE):
        if kind == VARINT:
            found.append(_signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(_signed(number))
    return found


def _features(record: memoryview) -> Iterator[tuple[str, memoryview]]:
    for _, _, entries in _fields(record):
        for _, _, entry in _fields(entries):
            parts = {number: value for number, _, value in _fields(entry)}
            yield bytes(parts[1]).decode(), parts.get(2, memoryview(b""))


def _lists(feature: memoryview, wanted: int) -> Iterator[tuple[int, Any]]:
    """Yield the wire type and value of each item in the list of a feature, if it is of the wanted kind."""
    try:
        for number, _, values in _fields(feature):
            if number == wanted:
                yield from ((kind, value) for _, kind, value in _fields(values))
    except (LookupError, TypeError, ValueError) as error:
        raise BadRecord("not a tf.train.Example") from error


def _fields(message: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Yield the number, wire type and value of each field of a protobuf message; raises LookupError or ValueError."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value: Any
            value, at = _varint(message, at)
        else:
            length, at = _varint(message, at) if kind == LENGTH else (_FIXED[kind], at)
            value, at = message[at : at + length], at + length
        if at > len(message):
            raise IndexError(at)
        yield number, kind, value


_FIXED = {FIXED64: 8, FIXED32: 4}


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place after it."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
        if shift > 63:
            raise ValueError(shift)


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
