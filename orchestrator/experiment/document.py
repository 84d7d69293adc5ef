"""A file and those that it extends to one document."""

import json
from collections.abc import Iterator
from pathlib import Path

from scalectl.orchestrator.errors import InvalidExperiment, Problem, Spot
from scalectl.orchestrator.experiment.lines import Lines
from scalectl.orchestrator.experiment.located import Located
from scalectl.orchestrator.experiment.paths import NoPath, absolute
from scalectl.orchestrator.experiment.values import shown
from scalectl.orchestrator.experiment.yaml_text import MAX_VALUES, load

# of a file and all that it extends together, as is MAX_VALUES; docs/experiments.md names them
MAX_BYTES = 100_000  # dozens of times a study; more is another kind of file
MAX_FILES = 16


def read_document(path: Path) -> Located:
    """The document at `path` laid over the ones that it extends.

    Mappings are laid over each other key by key, lists as a whole, and an empty value takes a key away.
    Raises InvalidExperiment for files that can't be read, that extend each other in a circle, or are too many.
    """
    *tops, whole = _chain(path)
    for top in reversed(tops):
        if not isinstance(whole.value, dict):
            raise _not_extended(top, f"{whole.source} is not a mapping of keys to values")
        whole.source, whole.problems = top.source, top.problems + whole.problems
        whole.overlay(top)
    return whole


def standing_alone(path: Path, whole: Located) -> str:
    """The text of the file whose `whole` document this is, or all that it and the files that it extends say."""
    if "extends" in whole.value:
        return json.dumps({key: value for key, value in whole.value.items() if key != "extends"})
    return read_text(path)


def _chain(path: Path) -> Iterator[Located]:
    """Yield the document at `path`, the one that it extends, and so on; raises InvalidExperiment."""
    files: list[Path] = []
    num_bytes = num_values = 0
    while True:
        text = read_text(path)
        document = load(text, str(path))
        num_bytes, num_values = num_bytes + len(text.encode()), num_values + len(document.values)
        files.append(path.resolve())
        if num_bytes > MAX_BYTES or num_values > MAX_VALUES or len(files) > MAX_FILES:
            limits = f"{MAX_FILES} files, {MAX_BYTES:,} bytes or {MAX_VALUES:,} values"
            raise InvalidExperiment(Problem(Spot(str(path)), "", f"with the files that extend it more than {limits}"))
        yield document
        if not isinstance(document.value, dict) or not isinstance(document.value.get("extends"), str):
            return
        path = _base_path(document, path, files)


def _base_path(document: Located, path: Path, files: list[Path]) -> Path:
    """The path of the file that the document at `path` extends; raises InvalidExperiment."""
    typed = document.value["extends"]
    try:
        absolute(typed, path.parent)
    except NoPath as error:
        raise _not_extended(document, f"{shown(typed)}: {error}") from None
    base = path.parent / Path(typed).expanduser()
    if base.resolve() in files:
        circle = " -> ".join(file.name for file in (*files[files.index(base.resolve()) :], base))
        raise _not_extended(document, f"files that extend each other: {circle}", "cut the circle")
    if not base.is_file():
        raise _not_extended(document, f"no file {base}", "paths start from the folder of this file")
    return base


def _not_extended(document: Located, message: str, hint: str = "") -> InvalidExperiment:
    return InvalidExperiment(Problem(document.spot(("extends",)), "extends", message, hint))


def read_text(path: Path) -> str:
    """The text of a file; raises InvalidExperiment where it can't be read, is too large, or isn't UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason, hint = getattr(error, "strerror", None) or str(error), ""
        if isinstance(error, FileNotFoundError):
            hint = "scalectl init writes one to begin with"
        raise InvalidExperiment(Problem(Spot(str(path)), "", reason, hint)) from None
    if len(content) > MAX_BYTES:
        raise InvalidExperiment(Problem(Spot(str(path)), "", f"larger than {MAX_BYTES:,} bytes"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        spot = Lines(before + "\N{REPLACEMENT CHARACTER}", str(path)).spot(len(before), len(before) + 1)
        raise InvalidExperiment(Problem(spot, "", f"byte {content[error.start]:#04x} is not UTF-8 text")) from None
