"""A Ray cluster as processes and sockets: one that a launch starts for itself, or one that it joins."""

import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scalectl.orchestrator.cluster.ray_processes import few_processes
from scalectl.orchestrator.cluster.sessions import Session
from scalectl.orchestrator.errors import Exit, Refusal

KNOCK_SECONDS = 10.0


class Unreachable(Refusal):
    """A cluster that can't be joined."""

    exit = Exit.NOT_FOUND


def has_token() -> bool:
    """Whether this user has a token for clusters: in the environment, or where Ray looks for it."""
    variables = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    return bool(variables) or (Path.home() / ".ray" / "auth_token").exists()


def knock(address: str, seconds: float = KNOCK_SECONDS) -> None:
    """Raise Unreachable where nobody listens within some seconds; Ray itself would ask for two minutes."""
    scheme, separator, _ = address.rpartition("://")
    if separator:
        remedy = "give the HOST:PORT of its head, often port 6379"
        raise Unreachable(f"no Ray cluster at {address!r}: {scheme}:// is another service of Ray; {remedy}.")
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise Unreachable(f"no Ray cluster at {address!r}: it has no port; give the HOST:PORT of its head.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
    except (OSError, OverflowError) as error:  # the second for a port above 65535
        raise Unreachable(f"no Ray cluster at {address!r}: {error}; give the HOST:PORT of its head.") from error


_SETTINGS = b"\x04"  # the kind of frame that servers of HTTP/2 begin with, in its fourth byte: RFC 9113, 3.4 and 4.1


def check_head(address: str, seconds: float = KNOCK_SECONDS) -> None:
    """Raise Unreachable where nobody listens, or no head of Ray does, for which Ray would wait without an end.

    A head speaks first, as HTTP/2 has it; over TLS it is the client that does.
    """
    knock(address, seconds)
    if os.environ.get("RAY_USE_TLS", "").lower() in ("1", "true"):
        return
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds) as connection:
            frame = connection.recv(9, socket.MSG_WAITALL)
    except OSError:
        frame = b""
    if frame[3:4] != _SETTINGS:
        remedy = "give the HOST:PORT of its head, often port 6379"
        raise Unreachable(f"no Ray cluster at {address!r}: another program listens there, or one that hangs; {remedy}.")


NICE = 5  # of workers, 15 by default: ten steps are left below them, which `trainer.compiling` needs


def secure(address: str | None) -> None:
    """Set what Ray reads at import: token authentication, no usage reports, and loopback sockets when embedded."""
    folder = Path.home() / ".ray"
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else Ray rebuilds the environment for every worker under `uv run`
        "RAY_DEDUP_LOGS": "0",
    }
    if address is None:
        token = _token(folder / "scalectl_token")
        defaults |= {"RAY_AUTH_TOKEN_PATH": str(token), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        defaults["RAY_worker_niceness"] = str(NICE)
    if address is None or has_token():  # a cluster without tokens takes none
        defaults["RAY_AUTH_MODE"] = "token"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _token(path: Path) -> Path:
    """The file that holds the secret of embedded clusters, made for this user alone when there is none."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            beside = path.with_name(f"{path.name}.{os.getpid()}")
            beside.touch(mode=0o600)
            beside.write_text(secrets.token_hex(32))
            beside.replace(path)
    except OSError as error:
        remedy = "Set HOME to a folder that can be written, or train with --here."
        raise Refusal(f"refused: the token of Ray's cluster, {path}: {error.strerror}. {remedy}") from error
    return path


def join(address: str, options: dict[str, Any]) -> Any:
    """Join the cluster that runs at an address; returns the module `ray`, or raises Unreachable."""
    check_head(address)
    secure(address)
    import ray

    _hush(ray)
    try:
        with signals_held():
            ray.init(address=address, job_config=_alone(ray), **options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise Unreachable(f"the Ray cluster at {address} can't be joined: {first_line(error)}") from error
    return ray


def _hush(ray: Any) -> None:
    """Keep Ray from printing to stdout what its raylets report, which `log_to_driver` leaves on.

    Of a node that dies that is its log, in colours; the launch says itself what has become of its slots and jobs.
    """
    ray._private.worker.print_to_stdstream = lambda data, ignore_prefix: None


def _light(ray: Any) -> None:
    """Keep Ray from importing PyArrow here, 20 MB, for tables that nobody sends."""
    with suppress(AttributeError):  # another version of Ray
        ray.util.serialization_addons.apply = lambda context: None


def _alone(ray: Any) -> Any:
    """The settings with which Ray doesn't put the current folder first on the path of every worker.

    A user's own numpy.py there would be imported in place of the library.
    """
    return ray.job_config.JobConfig(_client_job=True)


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


VITAL = ("raylet", "gcs_server")  # without which nothing goes on


class Embedded:
    """A cluster of this launch on 127.0.0.1, started with `options`, which can be started anew when it is lost."""

    def __init__(self, ray: Any, options: dict[str, Any]) -> None:
        self._ray, self._options = ray, options
        _hush(ray)
        _light(ray)
        self.start()

    def start(self) -> None:
        """Start Ray's processes; raises Refusal where this machine doesn't let them."""
        self._session = Session()
        try:
            with signals_held(), few_processes(self._ray, self._session.pipe):
                self._ray.init(
                    address="local",
                    job_config=_alone(self._ray),
                    _temp_dir=str(self._session.folder),
                    **self._options,
                )
        except BaseException as error:
            self._session.remove()
            if not isinstance(error, Exception):
                raise
            cause = str(error).strip().partition("\n")[0].rstrip(".")
            remedy = "Is TMPDIR a short path, and can it be written?"
            if "timed out" in cause:  # of 30 seconds, which Ray lets nobody change
                remedy = "This machine may be too busy: try again."
            raise Refusal(f"refused: Ray can't be started: {cause}. {remedy} --here trains without Ray.") from error
        self._session.close_to_others()
        self._node = self._ray._private.worker._global_node

    def ended(self) -> str:
        """The name of the vital process of Ray that has ended, or nothing."""
        return next((name for name, process in self._started() if name in VITAL and process.poll() is not None), "")

    def shutdown(self) -> None:
        """End Ray's processes and their own, and remove their files.

        They hold SIGTERM, with which Ray would have them end. So all are killed.
        """
        for _, process in self._started():
            process.terminate = process.kill  # else Ray waits a second for each
        self._ray.shutdown()
        self._session.remove()

    def _started(self) -> Iterator[tuple[str, Any]]:
        for name, processes in self._node.all_processes.items():
            yield from ((name, info.process) for info in processes)


@contextmanager
def signals_held() -> Iterator[None]:
    """Keep the signals that stop a launch from what is started meanwhile, and from what that starts.

    A lost terminal, `timeout` and batch systems send theirs to every process of a launch, and Ray's must go on until
    the jobs have left their checkpoints. Ray itself keeps SIGINT from them, and would have SIGTERM abort this process.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
