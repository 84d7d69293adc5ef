"""The file of `launch --fake-cluster`: what a fake cluster has, and what is taken away from it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationError

from scalectl.orchestrator.errors import Finding, InvalidExperiment, Problem, did_you_mean
from scalectl.orchestrator.experiment.document import read_text
from scalectl.orchestrator.experiment.rules import Section, key
from scalectl.orchestrator.experiment.values import Natural, NonNegative, count, refusal, shown
from scalectl.orchestrator.experiment.yaml_text import load
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.slot_types import NoSlotType, slot_type
from scalectl.orchestrator.vocabulary import CPU
from scalectl.trainer.topology import Unknown, topology

MOST_HOSTS = 32  # each is several processes on this machine


def _type(value: Any) -> str:
    try:
        return slot_type(str(value))
    except NoSlotType as error:
        raise refusal(str(error), error.hint) from None


def _slice(value: Any) -> str:
    name = _type(value)
    try:
        return topology(name).slot
    except Unknown as error:
        raise refusal(f"{shown(value)} is not a slice of TPUs", str(error).partition(": ")[2]) from None


def _gpus(value: Any) -> str:
    name = _type(value)
    if name.startswith((CPU, "tpu", "v5", "v6")):
        raise refusal(f"{shown(value)} is not a host with GPUs", "write h100-8 for a host with eight H100")
    return name


_Count = Annotated[int, PlainValidator(count(1))]


class _Preemption(Section):
    after: NonNegative = key("Seconds from when a first job was placed on one of the hosts.")
    type: Annotated[str, PlainValidator(_type)] = key("Of which slices or hosts one is taken away.")
    notice: NonNegative = key("Seconds between the notice and the end; 0 for an end without notice.", 0.0)
    away: NonNegative = key("Seconds until it is back.", 10.0)


class _FakeCluster(Section):
    cpus: Natural = key("CPU workers.", 0)
    slices: dict[Annotated[str, PlainValidator(_slice)], _Count] = key("Slices of TPUs, by their type.", {})
    gpu_hosts: dict[Annotated[str, PlainValidator(_gpus)], _Count] = key("Hosts with GPUs, as h100-8.", {})
    preempt: tuple[_Preemption, ...] = key("What is taken away.", ())


@contextmanager
def fake_cluster(file: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Start the cluster that a file describes, and yield its address; raises InvalidExperiment for the file."""
    layout = layout_of(file)
    from scalectl.orchestrator.cluster.fake import FakeCluster, Preemption, gpu_hosts, slice_hosts

    hosts = [host for name, number in layout.slices.items() for host in slice_hosts(name, number)]
    hosts += [host for name, number in layout.gpu_hosts.items() for host in gpu_hosts(name, number)]
    preemptions = [Preemption(entry.type, entry.after, entry.notice, entry.away) for entry in layout.preempt]
    parts = f"{counted(layout.cpus, 'CPU worker')} and {counted(len(hosts), 'host')}"
    say(f"fake cluster: {parts} are started on this machine's CPUs")
    with closing(FakeCluster(layout.cpus, hosts, preemptions, say)) as cluster:
        cluster.begin()
        yield cluster.address


def layout_of(file: Path) -> _FakeCluster:
    """What the file of a fake cluster says; raises InvalidExperiment with everything that is wrong with it."""
    located = load(read_text(file), str(file))
    if not isinstance(located.value, dict):
        raise InvalidExperiment(Problem(located.spot(()), "", "not a mapping of keys to values", "write cpus: 2"))
    try:
        layout = _FakeCluster.model_validate(located.value)
    except ValidationError as error:
        findings = [_finding(detail) for detail in error.errors(include_url=False)]
        raise InvalidExperiment(*located.problems, *map(located.problem, findings)) from None
    if problems := [*located.problems, *map(located.problem, _wrong(layout))]:
        raise InvalidExperiment(*problems)
    return layout


def _wrong(layout: _FakeCluster) -> Iterator[Finding]:
    """Yield what is wrong with a fake cluster whose keys are right by themselves."""
    from scalectl.orchestrator.cluster.fake import slice_hosts

    if not (layout.cpus or layout.slices or layout.gpu_hosts):
        yield Finding((), "no slot at all", "give cpus, slices or gpu_hosts")
    number = sum(layout.gpu_hosts.values())
    number += sum(len([*slice_hosts(name, 1)]) * slices for name, slices in layout.slices.items())
    if number > MOST_HOSTS:
        yield Finding(
            (), f"{counted(number, 'host')} are more than {MOST_HOSTS}", "rehearse with fewer or smaller slices"
        )
    types = (*layout.slices, *layout.gpu_hosts)
    for i, preemption in enumerate(layout.preempt):
        if preemption.type not in types:
            hint = did_you_mean(preemption.type, types) or f"it has {', '.join(types) or 'CPU workers alone'}"
            yield Finding(("preempt", i, "type"), f"the cluster has no {preemption.type}", hint)


def _finding(detail: Any) -> Finding:
    """What pydantic says of a key, in the words of the file."""
    path, context = detail["loc"], detail.get("ctx", {})
    match detail["type"]:
        case "refusal":
            on_key = path[-1:] == ("[key]",)
            if on_key:
                path = path[:-1]
            return Finding(path, context["message"], context["hint"], on_key=on_key)
        case "missing":
            return Finding(path, "missing", "", on_key=True)
        case "extra_forbidden":
            names = {0: _FakeCluster.model_fields, 2: _Preemption.model_fields}.get(len(path) - 1, {})
            return Finding(path, f"unknown key {path[-1]!r}", f"it has {', '.join(names)}", on_key=True)
    return Finding(path, f"{shown(detail['input'])} is not right here", detail["msg"])
