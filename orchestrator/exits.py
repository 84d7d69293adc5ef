"""What the exit code of a command says."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes, one line each in docs/architecture.md."""

    DONE = 0
    FAILED = 1  # a run failed, or an internal error
    INVALID = 2  # usage, or an invalid experiments.yaml
    WORK_LEFT = 3  # --check found something to do
    REFUSED = 4  # a limit, or a fit that the data can't carry
    NOT_FOUND = 5
    STORE = 6  # locked by another launcher, written by a newer scalectl, or not a store
    INTERRUPTED = 130


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """An answer of no that names what, where and the remedy; the command ends with `exit`."""

    exit = Exit.REFUSED


class NotFound(Refusal):
    """A store, run or file that isn't there."""

    exit = Exit.NOT_FOUND
