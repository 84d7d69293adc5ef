"""Records as TensorFlow's datasets write them: the features of a tf.train.Example, read from its protobuf bytes.

The messages are those of tensorflow/core/example/{example,feature}.proto: an Example holds Features, a map of names to
Feature, each of which holds one list of bytes, floats or whole numbers.
"""

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
BYTES, WHOLE = 1, 3  # fields of a Feature; 2 is the floats


class BadRecord(ValueError):  # noqa: N818 - what is wrong lies in the record
    """A record that can't be read, or is no tf.train.Example; the message says why, but not where."""


def features(record: Any) -> dict[str, memoryview]:
    """The features of a record by name, each still as bytes; raises BadRecord."""
    try:
        return dict(_features(memoryview(record)))
    except (LookupError, TypeError, ValueError) as error:
        raise BadRecord("not a tf.train.Example") from error


def one_bytes(feature: memoryview) -> memoryview | None:
    """The first bytes of a feature, None where it holds none."""
    return next((value for _, value in _lists(feature, BYTES)), None)


def whole_numbers(feature: memoryview) -> list[int]:
    """The whole numbers of a feature, packed or not."""
    numbers = []
    for kind, value in _lists(feature, WHOLE):
        if kind == VARINT:
            numbers.append(_signed(value))
            continue
        offset = 0
        while offset < len(value):
            number, offset = _varint(value, offset)
            numbers.append(_signed(number))
    return numbers


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
    offset = 0
    while offset < len(message):
        key, offset = _varint(message, offset)
        number, kind = key >> 3, key & 7
        value: Any
        if kind == VARINT:
            value, offset = _varint(message, offset)
        else:
            if kind == LENGTH:
                length, offset = _varint(message, offset)
            else:
                length = _FIXED[kind]
            value, offset = message[offset : offset + length], offset + length
        if offset > len(message):
            raise IndexError(offset)
        yield number, kind, value


_FIXED = {FIXED64: 8, FIXED32: 4}


def _varint(message: memoryview, offset: int) -> tuple[int, int]:
    """The number that begins at an offset, and the offset after it."""
    number = shift = 0
    while True:
        byte = message[offset]
        number |= (byte & 127) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 128:
            return number, offset
        if shift > 63:
            raise ValueError(shift)


def _signed(number: int) -> int:
    if number >= 2**63:
        return number - 2**64
    return number
