"""Records in LevelDB's format of logs: blocks of 32 KiB, and before each piece of a record its checksum and length."""

import struct
import zlib
from collections.abc import Iterable

_BLOCK = 32768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_PIECE = struct.Struct("<IHB")  # checksum, length, kind


def log_of(records: Iterable[bytes], head: bytes) -> bytes:
    """The bytes of a log that begins with `head`, which counts as part of its first block."""
    log = bytearray(head)
    for record in records:
        kind, rest = _FIRST, memoryview(record)
        while True:
            room = _BLOCK - len(log) % _BLOCK - _PIECE.size
            if room < 0:  # no piece begins where its head would not fit
                log.extend(bytes(room + _PIECE.size))
                continue
            piece, rest = rest[:room], rest[room:]
            if not rest:
                kind = _FULL if kind == _FIRST else _LAST
            log += _PIECE.pack(zlib.crc32(piece, zlib.crc32(bytes([kind]))), len(piece), kind) + piece
            if not rest:
                break
            kind = _MIDDLE
    return bytes(log)
