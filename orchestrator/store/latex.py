"""A table as LaTeX has it, as lines of cells with tabs between: what only says how it is set is left out."""

import re
from collections.abc import Iterator

from scalectl.orchestrator.store.titles import beginning

_END = re.compile(r"\\\\(\[[^\]]*\])?\s*(\\\w*(rule|line)\b(\([lr]+\))?(\{[^}]*\})?\s*)*\s*$")  # of a row
_RULES = re.compile(r"^\s*(\\\w*(rule|line)\b(\([lr]+\))?(\{[^}]*\})?\s*)+")
_ACROSS = re.compile(r"\\multicolumn\{(\d+)\}\{[^}]*\}\{((?:[^{}]|\{[^{}]*\})*)\}")
_DOWN = re.compile(r"\\multirow(?:\[[^\]]*\])?\{[^}]*\}\{[^}]*\}\{((?:[^{}]|\{[^{}]*\})*)\}")
_SET = re.compile(r"\\(?:text\w*|math\w+|emph|underline|num|makecell|rotatebox\{[^}]*\})\{((?:[^{}]|\{[^{}]*\})*)\}")
_ARROWS = re.compile(r"\\(?:down|up|right)arrow|\\(?:bf|it|small|tiny|centering)(?:series|shape)?\b")
_ESCAPED = re.compile(r"\\([%#_&$])")
_AND = "\x00"  # in place of an ampersand that is written


def is_latex(text: str) -> bool:
    """Whether a text has rows of a LaTeX table: cells between ampersands, and two backslashes at the end."""
    return any(_END.search(line) and "&" in line for line in beginning(text, 50))


def rows_of_latex(text: str) -> str:
    """The same table with tabs between its cells, on the same lines."""
    return "\n".join(_rows(text))


def _rows(text: str) -> Iterator[str]:
    above: list[str] = []
    several: set[int] = set()  # columns of cells that reach over rows
    for line in text.splitlines():
        bare = re.sub(r"(?<!\\)%.*", "", line)
        if "&" not in bare.replace(r"\&", ""):
            yield ""
            continue
        row = _ACROSS.sub(lambda cell: cell[2] + " &" * (int(cell[1]) - 1), _END.sub("", _RULES.sub("", bare)))
        cells = row.replace(r"\&", _AND).split("&")
        several |= {place for place, cell in enumerate(cells) if _DOWN.search(cell)}
        plain = [_plain(cell) for cell in cells]
        for place in several & {*range(min(len(plain), len(above)))}:
            plain[place] = plain[place] or above[place]
        above = plain
        yield "\t".join(plain)


def _plain(cell: str) -> str:
    text = _DOWN.sub(r"\1", cell)
    while (inner := _SET.sub(r"\1", text)) != text:
        text = inner
    text = _ARROWS.sub("", text.replace("{,}", ",").replace(r"\,", "").replace("\\ ", " ").replace("~", " "))
    return _ESCAPED.sub(r"\1", re.sub(r"(?<!\\)\$", "", text)).replace(_AND, "&").replace("\t", " ").strip()
