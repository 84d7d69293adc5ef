"""Layouts over devices that aren't here."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jax.sharding import AbstractMesh

from scalectl.trainer.division import AXES, grid
from scalectl.trainer.sharding import KINDS, Layout


@dataclass(frozen=True)
class Imagined(Layout):
    """A layout over devices of which nothing is known but how many they are."""

    @cached_property
    def mesh(self) -> Any:
        return AbstractMesh(grid(len(self.devices)), AXES, KINDS)
