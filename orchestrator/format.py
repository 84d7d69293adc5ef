"""Numbers, tables and next commands, as people read and paste them."""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from scalectl.analysis.counting import count as count
from scalectl.analysis.printable import printable_line
from scalectl.trainer.counting import counted as counted
from scalectl.trainer.counting import few as few

_GAP = "   "  # between columns
_LEAST_SHARE, _ROUNDED = 1e-3, 1e-9  # the least share that is told as a number; what sums of floats may be off by


def flops(value: float) -> str:
    """FLOPs with two digits and a power of ten: 3.2e+15, and 0 for none."""
    if not value:
        return "0"
    return f"{value:.1e}"


def exact(value: float) -> str:
    """A number with all of its digits, in as few letters as that takes: 3e+15, 1234567800000000.0."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def size(number: float) -> str:
    """An amount of bytes with three digits: 0 B, 950 B, 12.9 kB, 1.05 GB."""
    for unit, suffix in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= 0.9995 * unit:
            return f"{number / unit:.3g} {suffix}"
    return f"{number:.3g} B"


def hours(value: float) -> str:
    """Device-hours in full: 54,699, 37.5, 0.021."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def share(value: float) -> str:
    """A fraction in per cent: 46 %, 4.2 %, 0 %; 0 % and 100 % are nothing and all: else < 0.1 % and 99.9 %."""
    if _ROUNDED < value < _LEAST_SHARE / 2:
        return f"< {100 * _LEAST_SHARE:g} %"
    if _ROUNDED < value < 0.1:
        return f"{100 * value:.1f} %"
    if 0.995 <= value < 1 - _ROUNDED:
        return f"{math.floor(value / _LEAST_SHARE) / 10:.1f} %"
    return f"{100 * value:z.0f} %"  # z: no -0 %, to which sums of floats may round


def duration(seconds: float) -> str:
    """A time in its two largest units: 48 s, 3 min 02 s, 2 h 10 min, 3 d 4 h, 700 d."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole < 8_640_000:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    return f"{whole // 86400:,} d"


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: int = 1,
    *,
    width: int | None = None,
    spare: Sequence[str] = (),
) -> str:
    """Rows under their header, two spaces in, the first `left` columns flush left and the others right.

    Where the table is wider than `width`, it loses whole columns: those named in `spare`, from the first one on.
    """
    lines = [[printable_line(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(header))]
    shown = list(range(len(header)))
    for name in spare:
        if width is not None and sum(len(_GAP) + widths[n] for n in shown) - 1 > width:
            shown.remove(header.index(name))

    def cell(text: str, n: int) -> str:
        if n < left:
            return text.ljust(widths[n])
        return text.rjust(widths[n])

    return "\n".join("  " + _GAP.join(cell(line[n], n) for n in shown).rstrip() for line in lines)


def one_line(text: str) -> str:
    """A name or a reason on one line, so that nothing in it looks like a line of ours."""
    return printable_line(" ".join(text.splitlines()))


def file_name(text: str) -> str:
    """A text as the name of a file or folder: a different one for each, and never a path; "a/b" is "a%2Fb"."""
    return re.sub(r'^\.|[/\\:*?"<>|%\x00-\x1f]', lambda sign: f"%{ord(sign[0]):02X}", text)


USUAL = Path("results.db")  # where commands look by default


def command(
    verb: str,
    file: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    store: str | Path | None = None,
    options: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """The line for a verb and its flags, with `--set` for each change and the options that aren't None."""
    words = ["scalectl", *verb.split()]
    if file is not None:
        words.append(str(file))
    for change in changes:
        words += ["--set", change]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    if store is not None and Path(store).absolute() != USUAL.absolute():
        words += ["--store", str(store)]
    return shlex.join(words)


def launch_words(text: str) -> list[str]:
    """The words of a `scalectl launch FILE` that a store tells; none of any other text, as it may be a stranger's."""
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    return words if words[:2] == ["scalectl", "launch"] and len(words) > 2 else []


def from_here(path: str) -> str:
    """A path as it is reached from the folder that this process works in, where that is downwards."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere, relative already, or no folder any more
        return path


def last_line(text: str) -> str:
    """The last line of a traceback or of any other text, which names the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
