"""Files that hold a table of runs and are none, as people download them."""

_PACKED = {  # by their first bytes
    b"\x1f\x8b": ("compressed by gzip", "unpack it with gunzip"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "unpack it with unzstd"),
    b"BZh": ("compressed by bzip2", "unpack it with bunzip2"),
    b"\xfd7zXZ\x00": ("compressed by xz", "unpack it with unxz"),
    b"PK\x03\x04": ("a zip file or a workbook", "unpack it, or save the sheet as CSV in UTF-8"),
}


def packed(content: bytes) -> tuple[str, str] | None:
    """What a file is that has to be unpacked first, and how that is done; None for any other."""
    return next((what for begin, what in _PACKED.items() if content.startswith(begin)), None)
