"""A page as a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.files import atomic
from scalectl.orchestrator.page.document import document
from scalectl.orchestrator.page.html import is_page, page
from scalectl.orchestrator.page.library import library


@dataclass(frozen=True)
class Written:
    """How many runs a page shows, its bytes, and whether it has a law that `fit` prints as well."""

    runs: int
    size: int
    fitted: bool


def write_page(
    file: Path,
    store: Path,
    study: str | None = None,
    where: str | None = None,
    *,
    said: Mapping[str, str] | None = None,
    force: bool = False,
) -> Written:
    """Write the page of a study, or of the runs that `where` chooses, in place of an earlier page or, with `force`, of
    any file.

    What is `said` stands in place of what the page says of its `store` and of when it was `made`.
    Folders are made, and a page that fails is not there. Raises NoCharts where the chart library is missing, Refusal
    for a file that is there and no page, or that can't be written, and what `document` raises.
    """
    if not force and file.exists() and not is_page(file):
        raise Refusal(
            f"refused: {file} is there already and is no page. Give another file, or --force to overwrite it."
        )
    library()  # whose absence is told before the laws are fitted
    whole = document(store, study, where) | dict(said or {})
    text = page(whole).encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as partial:
            partial.write_bytes(text)
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}.") from error
    own = {(fit["metric"], fit["x"]) for fit in whole["fits"]}
    fitted = any((law["metric"], law["x"]) in own and not law["refusal"] for law in whole["laws"])
    return Written(len(whole["runs"]["run"]), len(text), fitted)
