"""Types of the columns of results.db, and those that hold the settings of a spec."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Float, Integer, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from scalectl.trainer.spec import DataSpec, ModelSpec, Plain, RecipeSpec, spec_fields

Spec = type[ModelSpec] | type[DataSpec] | type[RecipeSpec]
_TYPES: dict[type, type[TypeEngine[Any]]] = {bool: Boolean, int: Integer, float: Float, str: Text}


def spec_columns(spec: Spec) -> dict[str, type[TypeEngine[Any]]]:
    """The types of the columns that hold the settings of a spec, in its order."""
    return {setting.name: _TYPES[setting.type] for setting in spec_fields(spec)}


def later_defaults(spec: Spec) -> dict[str, str]:
    """The settings of a spec that came later, with the value that rows of older stores have, as SQLite spells it."""
    return {setting.name: _spelt(setting.before) for setting in spec_fields(spec) if setting.before is not None}


def _spelt(value: Plain) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return str(value)


class Words(TypeDecorator[StrEnum]):
    """A column of text whose values are those of an enumeration."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """The text of a member; raises ValueError for any other text."""
        return value and self.words(value).value

    def process_result_value(self, value: Any | None, dialect: Any) -> Any:
        """The member that a text stands for."""
        return value and self.words(value)
