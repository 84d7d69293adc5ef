"""A document whose values remember where they were written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scalectl.orchestrator.errors import Finding, KeyPath, Problem, Spot, dotted


@dataclass
class Located:
    """A document with the places of its keys and values, and the problems that left it readable."""

    value: Any
    source: str
    keys: dict[KeyPath, Spot] = field(default_factory=dict)
    values: dict[KeyPath, Spot] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def spot(self, path: KeyPath, *, key: bool = False) -> Spot:
        """The place of the value at `path`, or of its key, or of the nearest value above it."""
        for end in range(len(path), 0, -1):
            tables = (self.values, self.keys)
            if key or end < len(path):
                tables = (self.keys, self.values)
            for table in tables:
                if path[:end] in table:
                    return table[path[:end]]
        if key and () in self.keys:
            return self.keys[()]
        return self.values.get((), Spot(self.source))

    def problem(self, finding: Finding) -> Problem:
        """The finding with its place in the text."""
        spot = self.spot(finding.path, key=finding.on_key)
        return Problem(spot, dotted(finding.path), finding.message, finding.hint, finding.severity)

    def put(self, path: KeyPath, part: "Located") -> None:
        """Set the value at `path` to that of `part`, or take the key away where that is empty.

        Raises KeyError where a value above it is not a mapping.
        """
        parent = self.value
        for end, name in enumerate(path[:-1], 1):
            self.keys.setdefault(path[:end], part.spot((), key=True))
            if not isinstance(parent, dict):
                break
            parent = parent.setdefault(name, {})
        if not isinstance(parent, dict):
            raise KeyError(dotted(path))
        if part.value is None and path[-1] in parent:
            del parent[path[-1]]
        else:
            parent[path[-1]] = part.value
        for spots, new in ((self.keys, part.keys), (self.values, part.values)):
            for old in [old for old in spots if old[: len(path)] == path]:
                del spots[old]
            spots.update({path + inner: spot for inner, spot in new.items()})
        self.problems += part.problems

    def overlay(self, top: "Located") -> None:
        """Lay a document over this one: mappings key by key, all else as a whole; an empty value takes a key away."""
        replaced = set(_laid(self.value, top.value, ()))
        for spots, new in ((self.keys, top.keys), (self.values, top.values)):
            for path in [path for path in spots if _inside(path, replaced)]:
                del spots[path]
            spots.update({path: spot for path, spot in new.items() if _inside(path, replaced)})


def _laid(base: dict[str, Any], top: dict[str, Any], path: KeyPath) -> Iterator[KeyPath]:
    """Lay the values of `top` over those of `base`; yield the paths at which `top` has the last word."""
    for name, value in top.items():
        inner = (*path, name)
        if value is None and name in base:
            del base[name]
        elif isinstance(value, dict) and isinstance(base.get(name), dict):
            yield from _laid(base[name], value, inner)
        else:
            base[name] = value
            yield inner


def _inside(path: KeyPath, above: set[KeyPath]) -> bool:
    """Whether a path, or one that leads to it, is among those above."""
    return any(path[:end] in above for end in range(1, len(path) + 1))
