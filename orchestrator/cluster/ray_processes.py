"""The processes of Ray that a cluster of one launch does without, and that no option of `init` leaves out."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalectl.orchestrator.cluster import process as heap

# of Ray's class Node: a reader of logs that looks for new files ten times a second, with 3 % of a core; an autoscaler
# that has no nodes to add; the web server of a dashboard, 65 MB
_STARTS = ("start_log_monitor", "start_monitor", "start_api_server")
# of the raylet, which ends unless these run
_DASHBOARD, _ENVIRONMENTS = "--dashboard_agent_command", "--runtime_env_agent_command"
_FOLDER, _NODE, _DEVICES, _WORKER = "--session_dir", "--node_id", "--static_resource_list", "--python_worker_command"
_PORTS = ("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME")
_PORT_OF_ENVIRONMENTS = "RUNTIME_ENV_AGENT_PORT_NAME"
_NO_PORT = -1
_WISHES = {"RAY_RUNTIME_ENV_HOOK", "RAY_JOB_CONFIG_JSON_ENV_VAR"}  # of a user, for environments of workers


@contextmanager
def few_processes(ray: Any, pipe: Path) -> Iterator[None]:
    """Keep Ray from starting those that nobody asks anything; what takes the place of one ends with the pipe."""
    node, services = ray._private.node.Node, ray._private.services
    before, start = {name: getattr(node, name) for name in _STARTS if hasattr(node, name)}, services.start_ray_process
    try:
        for name in before:
            setattr(node, name, lambda node, *_, **__: None)
        services.start_ray_process = lambda command, *rest, **options: start(
            _plain(ray, command, pipe), *rest, **options
        )
        yield
    finally:
        services.start_ray_process = start
        for name, function in before.items():
            setattr(node, name, function)


def with_environment(ray: Any, variables: Mapping[str, str]) -> dict[str, Any]:
    """The options of an actor that has these variables, which are those of `few_processes` where nobody is to ask."""
    if getattr(ray._private.worker._global_node, "runtime_env_agent_port", None) == _NO_PORT:
        return {}
    return {"runtime_env": {"env_vars": dict(variables)}}


def _plain(ray: Any, command: Sequence[str], pipe: Path) -> list[str]:
    """A command of Ray's; a raylet has in place of its agents, 60 MB each, processes that wait for a pipe's end.

    That of the dashboard has no server unless `ray[default]` is installed, and says so in three files. That of
    environments is spared where all workers have one, which is part of their command. Nor are workers started ahead.
    """
    given, raylet = dict(word.split("=", 1) for word in command if "=" in word), ray._raylet
    known = given.keys() >= {_DASHBOARD, _FOLDER, _NODE} and all(
        hasattr(raylet, name) for name in ("persist_port", *_PORTS)
    )
    if not known or shutil.which("cat") is None:
        return list(command)
    folder, node = given[_FOLDER], given[_NODE]
    waits, ports = subprocess.list2cmdline(["cat", str(pipe)]), [*_PORTS]
    ours = {_DASHBOARD: waits, "--num_prestart_python_workers": "0"}
    if _alike(given) and hasattr(raylet, _PORT_OF_ENVIRONMENTS):
        dressed = subprocess.list2cmdline(["env", *(f"{name}={value}" for name, value in heap.ENVIRONMENT.items())])
        ours |= {_ENVIRONMENTS: waits, _WORKER: f"{dressed} {given[_WORKER]}"}
        ports.append(_PORT_OF_ENVIRONMENTS)
    for name in ports:
        raylet.persist_port(folder, node, getattr(raylet, name), _NO_PORT)
    return [f"{key}={ours[key]}" if (key := word.split("=", 1)[0]) in ours else word for word in command]


def _alike(given: Mapping[str, str]) -> bool:
    """Whether all workers of a raylet have the heap of workers on a CPU, and nothing else of their own."""
    known = given.keys() >= {_ENVIRONMENTS, _DEVICES, _WORKER} and shutil.which("env") is not None
    wished = _WISHES & os.environ.keys() or os.environ.get("RAY_ENABLE_UV_RUN_RUNTIME_ENV") != "0"
    return known and not wished and not {"GPU", "TPU"} & {*given[_DEVICES].split(",")}
