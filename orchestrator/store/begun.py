"""Whether the launch that holds a store has begun: until its plan is written down it waits, and starts nothing."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.lock import Holder
from scalectl.orchestrator.store.snapshot import PLANNED
from scalectl.orchestrator.store.tables import events


def has_begun(store: Path, launcher: Holder) -> bool:
    """Whether the launcher of a store has written its plan there."""
    try:
        with reading(store) as connection:
            planned = connection.scalars(select(func.max(events.c.at)).where(events.c.what == PLANNED)).first()
    except NotFound:
        return False
    return planned is not None and planned.replace(tzinfo=UTC) >= datetime.fromtimestamp(launcher.started, UTC)
