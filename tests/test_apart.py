"""A function in a process of its own: what it returns, what it raises, and its end."""

import os

import pytest

from scalectl.trainer.apart import Ended, apart


def test_an_answer_and_an_error_come_from_another_process():
    assert apart(pow, 2, 5) == 32
    assert apart(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        apart(int, "two")


def test_a_process_that_ends_without_an_answer_is_told():
    with pytest.raises(Ended):
        apart(os._exit, 3)
