"""A file and those that it extends to one document, whose values remember where they were written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError

from scalectl.orchestrator.errors import Finding, InvalidExperiment, KeyPath, Problem, Spot, dotted
from scalectl.orchestrator.experiment.lines import Lines
from scalectl.orchestrator.experiment.paths import NoPath, absolute
from scalectl.orchestrator.experiment.values import shown

# of a file and all that it extends together; docs/experiments.md names them
MAX_BYTES = 100_000  # dozens of times a study; more is another kind of file
MAX_FILES = 16
MAX_DEPTH = 32
MAX_VALUES = 20_000  # after aliases are expanded, so a few lines cannot grow into gigabytes
MAX_DIGITS = 300  # of a whole number: more is no floating-point number either


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
        """Set the value at `path` to that of `part`; raises KeyError where a value above it is not a mapping."""
        parent = self.value
        for end, name in enumerate(path[:-1], 1):
            self.keys.setdefault(path[:end], part.spot((), key=True))
            if not isinstance(parent, dict):
                break
            parent = parent.setdefault(name, {})
        if not isinstance(parent, dict):
            raise KeyError(dotted(path))
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


@dataclass(frozen=True)
class _Node:
    """A scalar's value, a list of nodes, or a list of pairs of nodes, with its place."""

    kind: str
    content: Any
    spot: Spot


def read_document(path: Path) -> Located:
    """The document at `path` laid over the ones that it extends.

    Mappings are laid over each other key by key, lists as a whole, and an empty value takes a key away.
    Raises InvalidExperiment for files that can't be read, that extend each other in a circle, or are too many.
    """
    *tops, whole = _chain(path)
    for top in reversed(tops):
        if not isinstance(whole.value, dict):
            raise _not_extended(top, f"{whole.source} is not a mapping of keys to values")
        whole.source, whole.problems = top.source, top.problems + whole.problems
        whole.overlay(top)
    return whole


def _chain(path: Path) -> Iterator[Located]:
    """Yield the document at `path`, the one that it extends, and so on; raises InvalidExperiment."""
    files: list[Path] = []
    num_bytes = num_values = 0
    while True:
        text = read_text(path)
        document = load(text, str(path))
        num_bytes, num_values = num_bytes + len(text.encode()), num_values + len(document.values)
        files.append(path.resolve())
        if num_bytes > MAX_BYTES or num_values > MAX_VALUES or len(files) > MAX_FILES:
            limits = f"{MAX_FILES} files, {MAX_BYTES:,} bytes or {MAX_VALUES:,} values"
            raise InvalidExperiment(Problem(Spot(str(path)), "", f"with the files that extend it more than {limits}"))
        yield document
        if not isinstance(document.value, dict) or not isinstance(document.value.get("extends"), str):
            return
        path = _base_path(document, path, files)


def _base_path(document: Located, path: Path, files: list[Path]) -> Path:
    """The path of the file that the document at `path` extends; raises InvalidExperiment."""
    typed = document.value["extends"]
    try:
        absolute(typed, path.parent)
    except NoPath as error:
        raise _not_extended(document, f"{shown(typed)}: {error}") from None
    base = path.parent / Path(typed).expanduser()
    if base.resolve() in files:
        circle = " -> ".join(file.name for file in (*files[files.index(base.resolve()) :], base))
        raise _not_extended(document, f"files that extend each other: {circle}", "cut the circle")
    if not base.is_file():
        raise _not_extended(document, f"no file {base}", "paths start from the folder of this file")
    return base


def _not_extended(document: Located, message: str, hint: str = "") -> InvalidExperiment:
    return InvalidExperiment(Problem(document.spot(("extends",)), "extends", message, hint))


def read_text(path: Path) -> str:
    """The text of a file; raises InvalidExperiment where it can't be read, is too large, or isn't UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason, hint = getattr(error, "strerror", None) or str(error), ""
        if isinstance(error, FileNotFoundError):
            hint = "scalectl init writes one to begin with"
        raise InvalidExperiment(Problem(Spot(str(path)), "", reason, hint)) from None
    if len(content) > MAX_BYTES:
        raise InvalidExperiment(Problem(Spot(str(path)), "", f"larger than {MAX_BYTES:,} bytes"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        spot = Lines(before + "\N{REPLACEMENT CHARACTER}", str(path)).spot(len(before), len(before) + 1)
        raise InvalidExperiment(Problem(spot, "", f"byte {content[error.start]:#04x} is not UTF-8 text")) from None


def load(text: str, source: str, before: str = "") -> Located:
    """The one YAML 1.2 document in `text`, shown after `before`; raises InvalidExperiment."""
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
    message, hint = f"not YAML: {problem}", str(error.context or "")
    if r"'\t'" in problem:
        message, hint = "a tab", "YAML indents with spaces only"
    elif "mapping values are not allowed" in problem:
        message, hint = "a second ': ' where a value should end", "quote the text, or start a new line"
    elif "unexpected end of stream" in problem:
        message, hint, mark = "a quoted text that never ends", "close the quotation mark", opening
    elif "expected ',' or" in problem:
        message, hint, mark = "a comma or the closing bracket is missing", f"noticed in line {mark.line + 1}", opening
    elif "expected the node content" in problem:
        message, hint = "a value is missing", ""
    elif "expected <block end>" in problem:
        message, hint = "this does not continue message is above it", "check the indentation and the '-' or 'key:'"
    return Problem(tree.spot(mark.index, mark.index + 1), "", message, hint)


class _Tree:
    """Nodes from the events of the parser, so that tags, aliases and depth are seen before anything is built."""

    def __init__(self, text: str, source: str, before: str) -> None:
        self.lines, self.offset = Lines(before + text, source), len(before)
        self.count = 0
        self.anchors: dict[str, _Node] = {}
        self.problems: list[Problem] = []
        yaml = YAML(typ="safe", pure=True)
        self.resolver = yaml.resolver
        self.events: Iterator[Any] = iter(yaml.parse(text))

    def spot(self, start: int, end: int) -> Spot:
        return self.lines.spot(start + self.offset, end + self.offset)

    def fail(self, event: Any, message: str, hint: str = "") -> InvalidExperiment:
        return InvalidExperiment(Problem(self.spot(event.start_mark.index, event.end_mark.index), "", message, hint))

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
        self.count += 1
        if self.count > 2 * MAX_VALUES:  # keys count here too
            raise self.fail(event, f"more than {MAX_VALUES:,} values")
        if kind == "AliasEvent":
            if event.anchor not in self.anchors:
                raise self.fail(event, f"*{event.anchor} stands before the end of its &{event.anchor}, or without one")
            return self.anchors[event.anchor]
        if event.ctag is not None:
            spot = self.spot(event.start_mark.index, event.end_mark.index)
            self.problems.append(Problem(spot, "", f"tag {event.tag}", "scalectl reads plain YAML: remove the tag"))
        node = self.scalar(event) if kind == "ScalarEvent" else self.collection(event, kind, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def collection(self, event: Any, kind: str, depth: int) -> _Node:
        content: list[Any] = []
        while type(inner := next(self.events)).__name__ not in ("SequenceEndEvent", "MappingEndEvent"):
            item: Any = self.node(inner, depth + 1)
            if kind == "MappingStartEvent":
                item = (item, self.node(next(self.events), depth + 1))
            content.append(item)
        node_kind = {"SequenceStartEvent": "list", "MappingStartEvent": "mapping"}[kind]
        return _Node(node_kind, content, self.spot(event.start_mark.index, inner.end_mark.index))

    def scalar(self, event: Any) -> _Node:
        spot = self.spot(event.start_mark.index, event.end_mark.index)
        if event.start_mark.index == event.end_mark.index:
            return _Node("nothing", None, spot)
        tag = str(self.resolver.resolve(ScalarNode, event.value, event.implicit)).rpartition(":")[2]
        try:
            value = _scalar(tag, event.value)
        except ValueError:
            raise self.fail(event, "a number of too many digits") from None
        return _Node({"merge": "merge"}.get(tag, "scalar"), value, spot)


def _scalar(tag: str, text: str) -> Any:
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        if len(text) > MAX_DIGITS:
            raise ValueError
        has_base = text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b")
        return int(text, 0 if has_base else 10)
    if tag == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Expansion:
    """Plain values from nodes; every alias is expanded, so each path has its own place."""

    def __init__(self, located: Located) -> None:
        self.located = located
        self.count = 0

    def value(self, node: _Node, path: KeyPath) -> Any:
        self.tally(path)
        if node.kind != "nothing":  # an absent value has no place but its key's
            self.located.values[path] = node.spot
        if node.kind == "list":
            return tuple(self.value(item, (*path, i)) for i, item in enumerate(node.content))
        if node.kind == "mapping":
            return self.mapping(node, path)
        return node.content

    def tally(self, path: KeyPath) -> None:
        self.count += 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            message = f"more than {MAX_VALUES:,} values, or {MAX_DEPTH} deep, once aliases are expanded"
            raise InvalidExperiment(Problem(self.located.spot(path[:1], key=True), dotted(path[:1]), message))

    def mapping(self, node: _Node, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in self.pairs(node, path):
            inner = (*path, key.content)
            if inner in self.located.keys:
                first = self.located.keys[inner].line
                self.problem(key.spot, inner, f"duplicate key {key.content!r}", f"first given in line {first}")
                continue
            self.located.keys[inner] = key.spot
            values[key.content] = self.value(item, inner)
        for key, item in self.merged(node, path):
            if key.content not in values:
                self.located.keys[(*path, key.content)] = key.spot
                values[key.content] = self.value(item, (*path, key.content))
        return values

    def pairs(self, node: _Node, path: KeyPath) -> Iterator[tuple[_Node, _Node]]:
        """Yield the keys that a mapping has itself, with their values."""
        for key, item in node.content:
            if isinstance(key.content, str) and key.kind == "scalar":
                yield key, item
            elif key.kind != "merge":
                self.problem(key.spot, path, "a key that is no text", "put the key in quotes")

    def merged(self, node: _Node, path: KeyPath) -> Iterator[tuple[_Node, _Node]]:
        """Yield the keys that a mapping takes over by '<<', with their values."""
        for key, item in node.content:
            if key.kind != "merge":
                continue
            sources = [item]
            if item.kind == "list":
                sources = item.content
            for source in sources:
                self.tally(path)
                if source.kind == "mapping":
                    yield from self.pairs(source, path)
                    yield from self.merged(source, path)
                else:
                    self.problem(source.spot, path, "'<<' takes a mapping, or a list of them")

    def problem(self, spot: Spot, path: KeyPath, message: str, hint: str = "") -> None:
        self.located.problems.append(Problem(spot, dotted(path), message, hint))
