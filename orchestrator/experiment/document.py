"""YAML text to plain values that remember where they were written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError

from scalectl.orchestrator.errors import Finding, InvalidExperiment, Path, Problem, Spot, dotted

MAX_DEPTH = 32
MAX_VALUES = 20_000  # after aliases are expanded, so a few lines cannot grow into gigabytes


@dataclass
class Located:
    """A document with the places of its keys and values, and the problems that left it readable."""

    value: Any
    source: str
    keys: dict[Path, Spot] = field(default_factory=dict)
    values: dict[Path, Spot] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def spot(self, path: Path, *, key: bool = False) -> Spot:
        """Return the place of the value (or of the key) at `path`, or of what is nearest above it."""
        for end in range(len(path), 0, -1):
            tables = (self.keys, self.values) if key or end < len(path) else (self.values, self.keys)
            for table in tables:
                if path[:end] in table:
                    return table[path[:end]]
        root = self.keys if key and () in self.keys else self.values
        return root.get((), Spot(self.source))

    def problem(self, finding: Finding) -> Problem:
        """Return the finding with its place in the text."""
        spot = self.spot(finding.path, key=finding.on_key)
        return Problem(spot, dotted(finding.path), finding.what, finding.hint, finding.severity)

    def put(self, path: Path, other: "Located") -> None:
        """Set the value at `path` to that of `other`; raises KeyError if the way there leads through no mapping."""
        parent = self.value
        for end, name in enumerate(path[:-1], 1):
            self.keys.setdefault(path[:end], other.spot((), key=True))
            parent = parent.setdefault(name, {}) if isinstance(parent, dict) else None
        if not isinstance(parent, dict):
            raise KeyError(dotted(path))
        parent[path[-1]] = other.value
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
            for old in [old for old in mine if old[: len(path)] == path]:
                del mine[old]
            mine.update({path + below: spot for below, spot in theirs.items()})
        self.problems += other.problems

    def lay(self, other: "Located", path: Path = ()) -> None:
        """Lay another document over this one: mappings key by key, all else as a whole; an empty value takes away."""
        mine = self.at(path)
        for name, value in other.at(path).items():
            here = (*path, name)
            if value is None and name in mine:
                del mine[name]
            elif isinstance(value, dict) and isinstance(mine.get(name), dict):
                self.lay(other, here)
            else:
                self.put(here, other.below(here))

    def at(self, path: Path) -> Any:
        """Return the value at a path that is there."""
        value = self.value
        for name in path:
            value = value[name]
        return value

    def below(self, path: Path) -> "Located":
        """Return the part of the document at a path that is there, without its problems."""
        part = Located(self.at(path), self.source)
        for mine, its in ((self.keys, part.keys), (self.values, part.values)):
            its.update({one[len(path) :]: spot for one, spot in mine.items() if one[: len(path)] == path})
        return part


@dataclass(frozen=True)
class _Node:
    """A scalar's value, a list of nodes, or a list of pairs of nodes, with its place."""

    kind: str
    content: Any
    spot: Spot


def load(text: str, source: str, before: str = "") -> Located:
    """Return the one YAML 1.2 document in `text`, shown after `before`; raises InvalidExperiment."""
    tree = _Tree(text, source, before)
    try:
        root = tree.document()
    except ReaderError as error:
        spot = tree.spot(error.position, error.position + 1)
        raise InvalidExperiment(Problem(spot, "", f"control character {error.character:#04x} in the text")) from None
    except MarkedYAMLError as error:
        raise InvalidExperiment(_reworded(error, tree)) from None
    except (YAMLError, RecursionError) as error:
        raise InvalidExperiment(Problem(Spot(source), "", f"not YAML: {error}")) from None
    located = Located(None, source, problems=tree.problems)
    located.value = _Expansion(located).value(root, ())
    return located


def _reworded(error: MarkedYAMLError, tree: "_Tree") -> Problem:
    problem, opening = str(error.problem), error.context_mark
    mark = error.problem_mark or opening
    what, hint = f"not YAML: {problem}", str(error.context or "")
    if r"'\t'" in problem:
        what, hint = "a tab", "YAML indents with spaces only"
    elif "mapping values are not allowed" in problem:
        what, hint = "a second ': ' where a value should end", "quote the text, or start a new line"
    elif "unexpected end of stream" in problem:
        what, hint, mark = "a quoted text that never ends", "close the quotation mark", opening
    elif "expected ',' or" in problem:
        what, hint, mark = "a comma or the closing bracket is missing", f"noticed in line {mark.line + 1}", opening
    elif "expected the node content" in problem:
        what, hint = "a value is missing", ""
    elif "expected <block end>" in problem:
        what, hint = "this does not continue what is above it", "check the indentation and the '-' or 'key:'"
    return Problem(tree.spot(mark.index, mark.index + 1), "", what, hint)


class _Tree:
    """Nodes from the events of the parser, so that tags, aliases and depth are seen before anything is built."""

    def __init__(self, text: str, source: str, before: str) -> None:
        self.text, self.source, self.offset = before + text, source, len(before)
        self.anchors: dict[str, _Node] = {}
        self.problems: list[Problem] = []
        yaml = YAML(typ="safe", pure=True)
        self.resolver = yaml.resolver
        self.events: Iterator[Any] = iter(yaml.parse(text))

    def spot(self, start: int, end: int) -> Spot:
        return Spot.within(self.text, self.source, start + self.offset, end + self.offset)

    def fail(self, event: Any, what: str, hint: str = "") -> InvalidExperiment:
        return InvalidExperiment(Problem(self.spot(event.start_mark.index, event.end_mark.index), "", what, hint))

    def document(self) -> _Node:
        next(self.events)  # the start of the stream
        start = next(self.events)
        if type(start).__name__ == "StreamEndEvent":
            return _Node("nothing", None, self.spot(0, 0))
        if start.version or start.tags:
            raise self.fail(start, "a % directive", "scalectl reads YAML 1.2 without directives")
        root = self.node(next(self.events), 0)
        next(self.events)  # the end of the document
        after = next(self.events)
        if type(after).__name__ != "StreamEndEvent":
            raise self.fail(after, "a second document", "one experiment a file: remove what follows '---'")
        return root

    def node(self, event: Any, depth: int) -> _Node:
        kind = type(event).__name__
        if depth > MAX_DEPTH:
            raise self.fail(event, f"nested more than {MAX_DEPTH} deep")
        if kind == "AliasEvent":
            if event.anchor not in self.anchors:
                raise self.fail(event, f"*{event.anchor} stands before the end of its &{event.anchor}, or without one")
            return self.anchors[event.anchor]
        if event.ctag is not None:
            spot = self.spot(event.start_mark.index, event.end_mark.index)
            self.problems.append(Problem(spot, "", f"tag {event.tag}", "scalectl reads plain YAML: remove the tag"))
        node = self.collection(event, kind, depth) if kind != "ScalarEvent" else self.scalar(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def collection(self, event: Any, kind: str, depth: int) -> _Node:
        content: list[Any] = []
        while type(inner := next(self.events)).__name__ not in ("SequenceEndEvent", "MappingEndEvent"):
            item = self.node(inner, depth + 1)
            content.append(item if kind == "SequenceStartEvent" else (item, self.node(next(self.events), depth + 1)))
        kind = "list" if kind == "SequenceStartEvent" else "mapping"
        return _Node(kind, content, self.spot(event.start_mark.index, inner.end_mark.index))

    def scalar(self, event: Any) -> _Node:
        spot = self.spot(event.start_mark.index, event.end_mark.index)
        if event.start_mark.index == event.end_mark.index:
            return _Node("nothing", None, spot)
        tag = str(self.resolver.resolve(ScalarNode, event.value, event.implicit)).rpartition(":")[2]
        try:
            return _Node("merge" if tag == "merge" else "scalar", _scalar(tag, event.value), spot)
        except ValueError:
            raise self.fail(event, "a number of too many digits") from None


def _scalar(tag: str, text: str) -> Any:
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(text)
    if tag == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Expansion:
    """Plain values from nodes; every alias is expanded, so each path has its own place."""

    def __init__(self, located: Located) -> None:
        self.located = located
        self.count = 0

    def value(self, node: _Node, path: Path) -> Any:
        self.tally(path)
        if node.kind != "nothing":  # what isn't there has no place but its key's
            self.located.values[path] = node.spot
        if node.kind == "list":
            return tuple(self.value(item, (*path, i)) for i, item in enumerate(node.content))
        return self.mapping(node, path) if node.kind == "mapping" else node.content

    def tally(self, path: Path) -> None:
        self.count += 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            what = f"more than {MAX_VALUES:,} values, or {MAX_DEPTH} deep, once aliases are expanded"
            raise InvalidExperiment(Problem(self.located.spot(path[:1], key=True), dotted(path[:1]), what))

    def mapping(self, node: _Node, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in self.own(node, path):
            here = (*path, key.content)
            if here in self.located.keys:
                first = self.located.keys[here].line
                self.problem(key.spot, here, f"duplicate key {key.content!r}", f"first given in line {first}")
                continue
            self.located.keys[here] = key.spot
            found[key.content] = self.value(item, here)
        for key, item in self.merged(node, path):
            if key.content not in found:
                self.located.keys[(*path, key.content)] = key.spot
                found[key.content] = self.value(item, (*path, key.content))
        return found

    def own(self, node: _Node, path: Path) -> Iterator[tuple[_Node, _Node]]:
        for key, item in node.content:
            if isinstance(key.content, str) and key.kind == "scalar":
                yield key, item
            elif key.kind != "merge":
                self.problem(key.spot, path, "a key that is no text", "put the key in quotes")

    def merged(self, node: _Node, path: Path) -> Iterator[tuple[_Node, _Node]]:
        for key, item in node.content:
            if key.kind == "merge":
                for source in item.content if item.kind == "list" else [item]:
                    self.tally(path)
                    if source.kind == "mapping":
                        yield from self.own(source, path)
                        yield from self.merged(source, path)
                    else:
                        self.problem(source.spot, path, "'<<' takes a mapping, or a list of them")

    def problem(self, spot: Spot, path: Path, what: str, hint: str = "") -> None:
        self.located.problems.append(Problem(spot, dotted(path), what, hint))
