"""The one document in a text of YAML 1.2, with the place of each key and value."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError

from scalectl.orchestrator.errors import InvalidExperiment, KeyPath, Problem, Spot, dotted
from scalectl.orchestrator.experiment.lines import Lines
from scalectl.orchestrator.experiment.located import Located
from scalectl.orchestrator.experiment.slips import BLANK, PLAIN, stray_blank, stray_blank_above, thousands

MAX_DEPTH = 32
MAX_VALUES = 20_000  # after aliases are expanded, so a few lines cannot grow into gigabytes
MAX_DIGITS = 300  # of a whole number: more is no floating-point number either


@dataclass(frozen=True)
class _Node:
    """A scalar's value, a list of nodes, or a list of pairs of nodes, with its place."""

    kind: str
    content: Any
    spot: Spot


def load(text: str, source: str, before: str = "") -> Located:
    """The one YAML 1.2 document in `text`, shown after `before`; raises InvalidExperiment."""
    tree = _Tree(text, source, before)
    try:
        root = tree.document()
    except ReaderError as error:
        spot = tree.spot(error.position, error.position + 1)
        raise InvalidExperiment(Problem(spot, "", f"control character {error.character:#04x} in the text")) from None
    except MarkedYAMLError as error:
        raise InvalidExperiment(_reworded(error, tree, text)) from None
    except (YAMLError, RecursionError) as error:
        raise InvalidExperiment(Problem(Spot(source), "", f"not YAML: {error}")) from None
    located = Located(None, source, problems=tree.problems)
    located.value = _Expansion(located).value(root, ())
    return located


def _reworded(error: MarkedYAMLError, tree: "_Tree", text: str) -> Problem:
    problem, opening = str(error.problem), error.context_mark
    mark = error.problem_mark or opening
    if (place := stray_blank_above(text, mark.line)) is not None:
        return Problem(tree.spot(place, place + 1), "", BLANK, PLAIN)
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
        message, hint = "this does not continue what is above it", "check the indentation and the '-' or 'key:'"
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
        if event.implicit[0] and (place := stray_blank(event.value)) is not None:  # it has no quotes
            at = event.start_mark.index + place
            raise InvalidExperiment(Problem(self.spot(at, at + 1), "", BLANK, PLAIN))
        try:
            value = _scalar(tag, event.value)
        except ValueError:
            raise self.fail(event, "a number of too many digits") from None
        return _Node("merge" if tag == "merge" else "scalar", value, spot)


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
            if slip := thousands([(item.content, item.spot) for item in node.content]):
                i, number = slip
                head, group = number.split(",")
                message = f"{number} is two numbers, {head} and {group}"
                self.problem(node.content[i].spot, (*path, i), message, f"write {head}{group}, or {head}, {group}")
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
