"""A file and the files that it extends, as one located document: what the nearer file says holds."""

from pathlib import Path

from scalectl.orchestrator.errors import InvalidExperiment, Problem, Spot
from scalectl.orchestrator.experiment.document import Located, load

MAX_BYTES = 100_000  # dozens of times a study; more is another kind of file


def document(path: Path, above: tuple[Path, ...] = ()) -> Located:
    """Return the document at `path` laid over the ones that it extends; `above` are the files that extend it.

    Mappings are laid over each other key by key, lists as a whole, and an empty value takes a key away.
    Raises InvalidExperiment for files that can't be read or that extend each other in a circle.
    """
    own = load(text(path), str(path))
    base = own.value.get("extends") if isinstance(own.value, dict) else None
    if not isinstance(base, str):
        return own
    spot, file = own.spot(("extends",)), path.parent / Path(base).expanduser()
    chain = (*above, path.resolve())
    if file.resolve() in chain:
        circle = " -> ".join(one.name for one in (*chain[chain.index(file.resolve()) :], file))
        raise InvalidExperiment(Problem(spot, "extends", f"files that extend each other: {circle}", "cut the circle"))
    if not file.is_file():
        raise InvalidExperiment(Problem(spot, "extends", f"no file {file}", "paths start from the folder of this file"))
    found = document(file, chain)
    if not isinstance(found.value, dict):
        raise InvalidExperiment(Problem(spot, "extends", f"{file} is not a mapping of keys to values"))
    found.source, found.problems = own.source, own.problems + found.problems
    found.lay(own)
    return found


def text(path: Path) -> str:
    """Return the text of a file; raises InvalidExperiment for one that can't be read, is too large, or isn't UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidExperiment(Problem(Spot(str(path)), "", error.strerror or str(error))) from None
    if len(content) > MAX_BYTES:
        raise InvalidExperiment(Problem(Spot(str(path)), "", f"larger than {MAX_BYTES:,} bytes"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        spot = Spot.within(before + "\N{REPLACEMENT CHARACTER}", str(path), len(before), len(before) + 1)
        raise InvalidExperiment(Problem(spot, "", f"byte {content[error.start]:#04x} is not UTF-8 text")) from None
