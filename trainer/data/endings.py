"""Which files are pictures, by their endings, and which are leftovers of other programs; standard library only."""

from collections.abc import Iterable

# The formats of Pillow that are opened, in the order in which they are tried. Left out are those that it hands to other
# programs or handlers (EPS, WMF, BUFR, GRIB, HDF5), or doesn't decode (MPEG); one that opens whatever lies inside it
# (IPTC); one that is unpacked without a bound (FITS); and some without an ending or a signature of their own.
FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    "AVIF": (".avif", ".avifs"),
    "QOI": (".qoi",),
    "MPO": (".mpo",),
    "DIB": (".dib",),
    "DDS": (".dds",),
    "BLP": (".blp",),
    "FTEX": (".ftc", ".ftu"),
    "ICO": (".ico",),
    "CUR": (".cur",),
    "ICNS": (".icns",),
    "PSD": (".psd",),
    "PCX": (".pcx",),
    "DCX": (".dcx",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "FLI": (".fli", ".flc"),
    "IM": (".im",),
    "MSP": (".msp",),
    "PIXAR": (".pxr",),
    "XBM": (".xbm",),
    "XPM": (".xpm",),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
}
ENDINGS = frozenset(ending for endings in FORMATS.values() for ending in endings)

# folders and files that systems and programs leave beside a person's own; those whose names begin with a dot are others
LEFTOVERS = frozenset(
    {
        "__macosx",
        "__pycache__",
        "@eadir",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "network trash folder",
        "temporary items",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
    }
)


def leftover(name: str) -> bool:
    """Whether a file or folder of this name is a leftover: hidden, or made by a system or program for itself."""
    return name.startswith((".", "~$")) or name.lower() in LEFTOVERS


def without_leftovers(parts: Iterable[str]) -> bool:
    """Whether no part of a path, below the folder that a person named, is a leftover."""
    return not any(map(leftover, parts))


def ending(name: str) -> str:
    """The ending of a file's name in small letters, with its dot; empty where it has none."""
    stem, dot, last = name.rpartition(".")
    if not stem or not dot:
        return ""
    return f".{last.lower()}"
