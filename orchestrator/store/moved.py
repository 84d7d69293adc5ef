"""The paths of checkpoints in a store, and new ones for those of artifacts that were moved to another folder."""

import re
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, select, update

from scalectl.orchestrator.store.known import inside
from scalectl.orchestrator.store.tables import checkpoints, jobs, studies


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


def _move(connection: Connection, table: Table, column: str, before: str, after: str) -> None:
    paths = connection.scalars(select(table.c[column]).distinct()).all()
    for path in paths:
        if path.startswith(before):
            new = after + path.removeprefix(before)
            connection.execute(update(table).where(table.c[column] == path).values({column: new}))
