"""The processes of Ray that a cluster of one launch does without, and that no option of `init` leaves out."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# of Ray's class Node: a reader of logs that looks for new files ten times a second, with 3 % of a core; an autoscaler
# that has no nodes to add; the web server of a dashboard, 65 MB
_STARTS = ("start_log_monitor", "start_monitor", "start_api_server")
_AGENT = "--dashboard_agent_command"  # of the raylet, which ends unless this runs
_FOLDER, _NODE = "--session_dir", "--node_id"
_PORTS = ("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME")


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


def _plain(ray: Any, command: Sequence[str], pipe: Path) -> list[str]:
    """A command of Ray's; a raylet has in place of the dashboard's agent, 60 MB, a process that waits for a pipe's end.

    That agent has no server unless `ray[default]` is installed, and says so in three files. Nor are workers started
    ahead: those of slots need an environment of their own.
    """
    given, raylet = dict(word.split("=", 1) for word in command if "=" in word), ray._raylet
    known = given.keys() >= {_AGENT, _FOLDER, _NODE} and all(
        hasattr(raylet, name) for name in ("persist_port", *_PORTS)
    )
    if not known or shutil.which("cat") is None:
        return list(command)
    folder, node = given[_FOLDER], given[_NODE]
    for name in _PORTS:
        raylet.persist_port(folder, node, getattr(raylet, name), -1)
    ours = {_AGENT: subprocess.list2cmdline(["cat", str(pipe)]), "--num_prestart_python_workers": "0"}
    return [f"{key}={ours[key]}" if (key := word.split("=", 1)[0]) in ours else word for word in command]
