"""Text that may go to a terminal, a page or a log: without characters that steer it or hide what it says.

Names come from files and stores of other people, and errors from libraries.
"""

import re

_HIDDEN = (  # controls, halves of characters, and what turns the direction of writing or can't be seen
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_ANY = re.compile(f"[{_HIDDEN}]")
_ANY_OR_BREAK = re.compile(f"[{_HIDDEN}\t\n]")
_BUT_OURS = re.compile(rf"(\x1b\[[0-9;?]*[A-Za-z]|\r)|[{_HIDDEN}]")  # of a screen that moves its cursor
MARK = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Lines with MARK in place of each such character."""
    return _ANY.sub(MARK, text)


def is_printable(text: str) -> bool:
    """Whether text has no such character."""
    return not _ANY.search(text)


def printable_line(text: str) -> str:
    """One line: tabs and line breaks become MARK, too."""
    return _ANY_OR_BREAK.sub(MARK, text)


def printable_screen(text: str) -> str:
    """Lines in which colours and moves of the cursor stay; for text that was made printable before it had them."""
    return _BUT_OURS.sub(lambda match: match[1] or MARK, text)
