"""A store, or its log, that somebody takes away while a command looks at it."""

from pathlib import Path

import pytest
import told

from scalectl.orchestrator.store.beside import Unusable
from scalectl.orchestrator.store.reading import Store


@pytest.fixture
def store(tmp_path):
    return told.filled(tmp_path).store


@pytest.fixture
def seen(monkeypatch):
    """Have files seem to be there, as they were when somebody looked last."""
    monkeypatch.setattr(Path, "exists", lambda path: True)


def test_a_log_that_its_last_writer_takes_away_is_no_error(store, seen):
    """A launch takes its log away as it ends, and a status of that moment was an error."""
    assert not Path(f"{store}-wal").is_file()
    assert Store(store).status().runs


def test_reading_a_store_that_is_moved_away_makes_none_in_its_place(store, seen):
    store.rename(store.with_name("elsewhere.db"))
    with pytest.raises(Unusable, match=store.name):
        Store(store).status()
    assert not store.is_file()
