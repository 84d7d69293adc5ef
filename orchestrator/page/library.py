"""The chart library of a page as one script, which is bundled once and kept in the user's cache."""

import hashlib
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.trainer.cache import appearing, folder

_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_ESCAPES = {"</script": "<\\/script", "<!--": "<\\!--"}  # of what would end the page's script


class NoCharts(Refusal):
    """The chart library is not installed."""

    exit = Exit.NOT_FOUND


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, the same bytes each time; raises NoCharts where it is missing."""
    try:
        from vl_convert import javascript_bundle
    except ImportError as error:
        raise NoCharts(
            "the page draws its figures with vl-convert-python, which is not installed: pip install 'scalectl[page]'"
        ) from error
    made_of = version("vl-convert-python"), _SNIPPET, _ESCAPES  # all that decides its bytes
    kept = folder("charts") / f"{hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]}.js"
    if script := _whole(kept):
        return script
    script = str(javascript_bundle(_SNIPPET))
    for mark, escaped in _ESCAPES.items():
        script = script.replace(mark, escaped)
    with suppress(OSError), appearing(kept) as part:  # a disk that is full: it is bundled again
        Path(part).write_text(f"{_digest(script)}\n{script}", encoding="utf-8")
    return script


def _whole(kept: Path) -> str:
    """The script that was kept, or nothing where there is none or it isn't what was written."""
    try:
        digest, _, script = kept.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeError):
        return ""
    return script if digest == _digest(script) else ""


def _digest(script: str) -> str:
    return f"// {hashlib.sha256(script.encode()).hexdigest()}"
