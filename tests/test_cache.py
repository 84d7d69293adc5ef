"""Where what can be made again is kept."""

from pathlib import Path

import pytest

from scalectl.trainer import cache


def test_it_is_the_user_s_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = cache.folder("jax")
    assert found == tmp_path / "cache" / "scalectl" / "jax"
    assert found.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_where_nothing_can_be_written_there_is_a_folder_for_a_while(tmp_path, monkeypatch, variable):
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    found = cache.folder("jax")
    (found / "one").touch()
    assert found == cache.folder("jax") and Path.home() not in found.parents
