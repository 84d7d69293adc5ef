"""A page as one HTML file that loads nothing: its template, its looks, its program, the chart library and its data."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import matplotlib as mpl

from scalectl.analysis.drawing.colours import Colour, shades
from scalectl.orchestrator.page.library import library

_STATIC = files("scalectl.orchestrator.page") / "static"
_PROGRAM = (
    *("format", "choice", "marks", "views", "frontier", "sizes", "curves"),
    *("law", "cells", "runs", "origin", "live", "main"),
)
_DARK = "#0d0d10"  # the paper of page.css on a dark screen
_GENERATOR, _HEAD = b'<meta name="generator" content="scalectl ', 4096  # in so many first bytes of a page
_BASE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(document: Mapping[str, Any], *, connects: bool = False) -> str:
    """The HTML of a page; one that `connects` may ask the server that it came from for news, and nobody else.

    Raises NoCharts where the chart library is missing.
    """
    scripts = {"library": library(), "program": _program()}
    return Template(_text("page.html")).substitute(
        scripts,
        policy=policy(scripts.values(), connects=connects),
        title=escape(str(document["study"])),
        version=escape(version("scalectl")),
        style=_text("page.css") + _colours(document["models"]),
        data=embedded(document),
    )


def is_page(file: Path) -> bool:
    """Whether a file is a page that `page` made, by its first lines."""
    try:
        with file.open("rb") as text:
            return _GENERATOR in text.read(_HEAD)
    except OSError:
        return False


def policy(scripts: Any, *, connects: bool) -> str:
    """The policy under which a page runs these scripts alone."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    allowed = "'none'"
    if connects:
        allowed = "'self'"
    return f"{_BASE}; script-src {hashes}; connect-src {allowed}"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def embedded(document: Mapping[str, Any]) -> str:
    """A JSON object as the text of a script element, in which nothing begins a tag or ends the element."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _program() -> str:
    """The page's own program, in a function so that its names are nobody else's."""
    return "(() => {\n'use strict';\n" + "".join(_text(f"{name}.js") for name in _PROGRAM) + "})();"


def _text(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _colours(models: Sequence[str]) -> str:
    """The colour of each model on white and on a dark screen: those of figures, with a contrast of at least 3:1."""
    number = max(1, len(models))
    with mpl.rc_context({"axes.facecolor": "white"}):
        light = _variables(shades(number))
    with mpl.rc_context({"axes.facecolor": _DARK}):
        dark = _variables(shades(number))
    return f"\n:root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def _variables(colours: Sequence[Colour]) -> str:
    return " ".join(f"--model-{place}: {mpl.colors.to_hex(colour)};" for place, colour in enumerate(colours))
