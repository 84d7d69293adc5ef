"""Runs of other people as the store takes them, and those among them that repeat the settings of another."""

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scalectl.analysis.vocabulary import are_settings, come_again
from scalectl.orchestrator.format import count, counted


@dataclass(frozen=True)
class Foreign:
    """A run of somebody else: what is known of it, by column of `points`, its metrics and its labels."""

    id: str
    columns: Mapping[str, Any]
    metrics: Mapping[str, float]
    test_images: Mapping[str, int] = field(default_factory=dict)  # by metric
    labels: Mapping[str, str | bool | float] = field(default_factory=dict)
    line: int = 0  # of its file
    excluded: bool = False  # where its file comes from
    settings_id: str = ""  # its id but for the runs before it that have its settings


def alike(name: str, names: Iterable[str]) -> str:
    """The first of the names that differs in its capitals alone, or nothing: to SQL they are one."""
    return next((namesake for namesake in names if namesake.lower() == name.lower() and namesake != name), "")


def settings_in_words(runs: Iterable[Foreign]) -> list[str]:
    """The labels that are settings of the runs, as a tokenizer is, and no name of each, as an id is."""
    words: dict[str, list[str | bool | float]] = {}
    for run in runs:
        for name, word in run.labels.items():
            words.setdefault(name, []).append(word)
    return [name for name, of_runs in words.items() if are_settings(of_runs)]


def numbered(runs: Sequence[Foreign]) -> tuple[list[Foreign], list[str]]:
    """The runs with a seed each where they repeat settings, without those that repeat all of another, and notes."""
    labels = settings_in_words(runs)
    seen: Counter[str] = Counter()
    lines: dict[str, int] = {}
    groups: dict[str, list[Foreign]] = {}
    same = 0
    for run in runs:
        run = replace(run, settings_id=run.id)
        document = json.dumps([run.columns, run.metrics, run.labels], sort_keys=True)
        if document in lines:
            same += 1
            continue
        lines[document] = run.line
        if seen[run.id]:
            number = hashlib.sha256(f"{run.id} {seen[run.id]}".encode()).hexdigest()[:12]
            groups.setdefault(_key(run, labels), []).append(replace(run, id=number))
        else:
            groups.setdefault(_key(run, labels), []).append(run)
        seen[run.id] += 1
    repeated = [group for group in groups.values() if len(group) > 1]
    distinct = [run for group in groups.values() for run in _seeded(group)]
    notes = []
    if repeated:
        repeats = sum(len(group) - 1 for group in repeated)
        first = repeated[0]
        text = (
            f"{counted(repeats, 'run')} with the settings of another, as in lines {first[0].line} and {first[1].line}"
        )
        if "seed" in first[0].columns:
            notes.append(f"{text}, and with its seed: all are kept.")
        else:
            notes.append(f"{text}: numbered as seeds of it.")
        notes += [_perhaps_a_setting(name) for name in _recurring(repeated)]
    if same:
        notes.append(f"Left out: {counted(same, 'row')}, the same as another in every cell.")
    if varied := [name for name in labels if len({run.labels.get(name) for run in distinct}) > 1]:
        notes.append(
            f"Runs that differ in {', '.join(varied)} are taken to have other settings: none is a seed of another."
        )
    return sorted(distinct, key=lambda run: run.line), notes


def steady(runs: Sequence[Foreign], stored: Mapping[str, tuple[str, str]]) -> list[Foreign]:
    """The runs with the ids that a store has for their names and labels, which are `stored` by id.

    Runs of equal settings are numbered in the order of their file, and a newer file may have another: what somebody
    excluded would be another run.
    """
    groups: dict[str, list[Foreign]] = {}
    for run in runs:
        groups.setdefault(run.settings_id or run.id, []).append(run)
    ids: dict[str, str] = {}
    for group in groups.values():
        known: dict[tuple[str, str], list[str]] = {}  # of the ids of the group, by what the store has for them
        for run in reversed(group):
            if own := stored.get(run.id):
                known.setdefault(own, []).append(run.id)
        unknown = []
        for run in group:
            if numbers := known.get((run.columns["name"], json.dumps(dict(run.labels)))):
                ids[run.id] = numbers.pop()
            else:
                unknown.append(run.id)
        taken = {ids[run.id] for run in group if run.id in ids}
        free = sorted((run.id for run in group if run.id not in taken), key=lambda number: number in stored)
        ids |= zip(unknown, free, strict=True)  # a run that is new has an id that is new
    return [replace(run, id=ids[run.id]) for run in runs]


def _key(run: Foreign, labels: Sequence[str]) -> str:
    settings = {name: value for name, value in run.columns.items() if name != "name"}
    return json.dumps([settings, [run.labels.get(name) for name in labels]], sort_keys=True)


def _recurring(groups: Sequence[Sequence[Foreign]]) -> Iterator[str]:
    """Yield the metrics that differ within groups of equal settings, in numbers that all come again in others."""
    for name in dict.fromkeys(name for group in groups for run in group for name in run.metrics):
        values = [[run.metrics[name] for run in group if name in run.metrics] for group in groups]
        if come_again(values):
            yield name


def _perhaps_a_setting(name: str) -> str:
    return (
        f"{name} has the same numbers in one setting after another. Laws average such runs: if {name} is a setting,"
        f" too, say --setting {shlex.quote(name)}, or name its column of points by --as."
    )


def _seeded(group: list[Foreign]) -> list[Foreign]:
    """The runs of equal settings with a seed each, unless the file has told seeds."""
    if len(group) == 1 or "seed" in group[0].columns:
        return group
    return [_named({**run.columns, "seed": seed}, run) for seed, run in enumerate(group)]


def _named(columns: dict[str, Any], run: Foreign) -> Foreign:
    if columns["name"] == name_of(run.columns):
        columns["name"] = name_of(columns)
    return replace(run, columns=columns)


def id_of(columns: Mapping[str, Any]) -> str:
    """The id of a run by its settings."""
    settings = {name: value for name, value in columns.items() if name != "name"}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def name_of(columns: Mapping[str, Any]) -> str:
    """A name for people: model, data size, steps, seed, as far as they are known."""
    parts = [columns["model"]]
    parts += [count(columns[name]).replace(" ", "") for name in ("data_size", "steps") if name in columns]
    if columns.get("seed"):
        parts.append(f"s{columns['seed']}")
    return "-".join(parts)
