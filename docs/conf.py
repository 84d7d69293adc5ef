"""The site: `sphinx-build -W docs docs/_build` makes HTML of these pages and of those in the repository's root."""

import re
import sys
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import modules  # noqa: E402

project = "scalectl"
release = metadata.version("scalectl")
extensions = ["myst_nb"]  # myst_parser, and notebooks that run when the site is built
exclude_patterns = ["jupyter_execute", "_build"]
html_theme = "furo"
html_title = f"scalectl {release}"
html_copy_source = False
html_show_copyright = False
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300  # seconds of a cell
myst_heading_anchors = 3  # links such as laws.md#groups, as repositories make them

(HERE / "modules.md").write_text(modules.page())

INCLUDE = re.compile(r"```\{include\} \.\./(\S+)\n```")
LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)")
OFF_SITE = re.compile(r"\[([^\]]*)\]\(studies/[^)\s]+\.md\)")  # pages of the repository that the site doesn't have
ON_SITE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}


def from_docs(target: str) -> str:
    """A link of a page in the repository's root, as it is from docs/."""
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return ON_SITE.get(target, f"../{target}")


def include(app: Sphinx, page: str, source: list[str]) -> None:
    """Put a page of the repository's root in place of its include, with links that work from here."""

    def text(match: re.Match[str]) -> str:
        path = HERE.parent / match[1]
        app.env.note_dependency(path)
        return LINK.sub(lambda link: f"]({from_docs(link[1])}", OFF_SITE.sub(r"\1", path.read_text()))

    source[0] = INCLUDE.sub(text, source[0])


def setup(app: Sphinx) -> None:
    """Have Sphinx read the pages of the root."""
    app.connect("source-read", include)
