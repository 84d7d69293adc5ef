"""Whether the launch that holds a store has begun: until its plan is written down it waits, and starts nothing."""

from pathlib import Path

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.lock import Holder
from scalectl.orchestrator.store.snapshot import launched_study


def has_begun(store: Path, launcher: Holder) -> bool:
    """Whether the launcher of a store has written its plan there."""
    try:
        with reading(store) as connection:
            return bool(launched_study(connection, launcher.since))
    except NotFound:
        return False
