"""Results as HTML for notebooks: their report, and small tables, with everything of the user's escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from scalectl.analysis.printable import printable


class Report:
    """A result that prints itself, also at the prompt; a notebook shows the same text."""

    def __repr__(self) -> str:
        return printable(str(self))

    def _repr_html_(self) -> str:
        return preformatted(str(self))


def preformatted(text: str) -> str:
    """Text with its line breaks and blanks kept."""
    return f"<pre>{_shown(text)}</pre>"


def html_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()) -> str:
    """A table with a caption, and notes below it."""
    head = "".join(f"<th>{_shown(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_shown(cell)}</td>' for cell in row)}</tr>" for row in rows)
    below = "".join(f"<p>{_shown(note)}</p>" for note in notes)
    return f"<table><caption>{_shown(caption)}</caption><tr>{head}</tr>{body}</table>{below}"


def _shown(text: str) -> str:
    return escape(printable(text))
