"""The paths in a store, and new ones for a study that was moved to another folder."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, select, update

from scalectl.orchestrator.format import launch_words
from scalectl.orchestrator.store.known import inside
from scalectl.orchestrator.store.snapshot import LAUNCHED, PLANNED
from scalectl.orchestrator.store.tables import checkpoints, events, jobs, studies


def kept_paths(connection: Connection, folder: str) -> Sequence[str]:
    """The folders of the checkpoints that lie in a folder of artifacts."""
    paths = connection.scalars(select(checkpoints.c.path).order_by(checkpoints.c.path))
    return [path for path in paths if path.startswith(folder.rstrip("/") + "/") and inside(path, folder)]


def forget(connection: Connection, folder: str) -> None:
    """Delete the rows of the checkpoints that lay in a folder of artifacts."""
    for path in kept_paths(connection, folder):
        connection.execute(delete(checkpoints).where(checkpoints.c.path == path))


def artifacts_of(connection: Connection, study: str) -> str:
    """The folder of the artifacts of a study: the one in which most of its jobs leave checkpoints."""
    query = select(jobs.c.folder).join_from(jobs, studies).where(studies.c.name == study)
    folders = Counter(re.sub("/(trunks|runs)/[^/]+(/[^/]+)?$", "", folder) for folder in connection.scalars(query))
    return max(folders, key=lambda folder: (folders[folder], folder), default="")


def move(connection: Connection, before: str, after: str) -> None:
    """Give all paths in the folder `before` the same place in the folder `after`."""
    for table, column in ((checkpoints, "path"), (jobs, "folder")):
        _move(connection, table, column, before.rstrip("/") + "/", after.rstrip("/") + "/")


def relaunched(connection: Connection, study: str, file: str) -> None:
    """Give the commands that launched a study another file."""
    launched = False
    told = select(events).where(events.c.what.in_((PLANNED, LAUNCHED))).order_by(events.c.id)
    for event in connection.execute(told).all():
        if event.what == PLANNED:
            launched = event.text.startswith(f"{study}: ")
        elif launched and (words := launch_words(event.text)):
            text = shlex.join((*words[:2], file, *words[3:]))
            connection.execute(update(events).where(events.c.id == event.id).values(text=text))


def _move(connection: Connection, table: Table, column: str, before: str, after: str) -> None:
    paths = connection.scalars(select(table.c[column]).distinct()).all()
    for path in paths:
        if path.startswith(before):
            new = after + path.removeprefix(before)
            connection.execute(update(table).where(table.c[column] == path).values({column: new}))
