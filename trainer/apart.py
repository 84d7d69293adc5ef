"""Answers of a library that may end its process, from a process of its own."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

Result = TypeVar("Result")


class Ended(Exception):  # noqa: N818 - a fact about a process
    """The process ended without an answer."""


def apart(function: Callable[..., Result], *arguments: object) -> Result:
    """What a function returns or raises in another process, which is killed then: with libtpu in it, it would not end.

    Raises Ended where that process ends. What is written to stderr there, such as the stack of a fault, is dropped.
    """
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_quiet)
    try:
        return pool.submit(function, *arguments).result()
    except BrokenProcessPool as error:
        raise Ended from error
    finally:
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown()


def _quiet() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
