"""Answers of a library that may end its process, from a process of its own."""

import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from scalectl.trainer import own_code

Result = TypeVar("Result")


class Ended(Exception):  # noqa: N818 - a fact about a process
    """The process ended without an answer."""


def apart(function: Callable[..., Result], *arguments: object) -> Result:
    """What a function returns or raises in another process, which is killed then: with libtpu in it, it would not end.

    Raises Ended where that process ends. What is written to stderr there, such as the stack of a fault, is dropped.
    """
    spawning = get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_answer, args=(sender, own_code.loaded(), function, arguments), daemon=True)
    process.start()
    sender.close()  # here: once the process has ended too, nothing can come
    try:
        answer, raised = receiver.recv()
    except EOFError as error:
        raise Ended from error
    finally:
        process.kill()
        process.join()
        receiver.close()
    if raised:
        raise raised
    return answer


def _answer(
    sender: Connection,
    code: tuple[tuple[own_code.Code, ...], ...],
    function: Callable[..., Any],
    arguments: tuple[object, ...],
) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    answer: tuple[Any, Exception | None]
    try:
        for together in code:
            own_code.load(*together)
        answer = function(*arguments), None
    except Exception as error:  # which is raised where the answer is waited for
        answer = None, error
    sender.send(answer)
