"""The fonts of figures: Matplotlib's own, and for letters that it lacks those of the machine that have them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

OURS = "DejaVu Sans"
_EAST_ASIAN = (  # in the order of preference
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Droid Sans Fallback",
)


def families() -> list[str]:
    """Our font, and those of East Asian letters that the machine has."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return [OURS, *(name for name in _EAST_ASIAN if name in known)]


def missing(figure: Figure) -> str:
    """The letters of a figure that no font of the machine has, each once: empty boxes stand for them."""
    fonts = [font_manager.get_font(font_manager.findfont(name)) for name in families()]
    letters = dict.fromkeys("".join(text.get_text() for text in figure.findobj(Text)))
    drawn = {letter for letter in letters if any(font.get_char_index(ord(letter)) for font in fonts)}
    return "".join(letter for letter in letters if letter.isprintable() and letter not in drawn)


@contextmanager
def no_glyph_warnings() -> Iterator[None]:
    """Draw without a warning for each letter that is missing, as `missing` names them all."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield
