"""What a cluster says of the processes of a job, and what TPU slices say themselves."""

import pytest

from scalectl.trainer import multihost
from scalectl.trainer.multihost import Host, join, named

SLICE = {"TPU_WORKER_HOSTNAMES": "t1k-0,t1k-1,t1k-2,t1k-3", "TPU_WORKER_ID": "2"}


def test_a_slice_names_its_first_host_as_the_coordinator():
    assert named(SLICE) == Host("t1k-0:8476", 4, 2)


@pytest.mark.parametrize("names", [{}, {"TPU_WORKER_HOSTNAMES": "localhost"}, {"TPU_WORKER_HOSTNAMES": ""}])
def test_one_host_joins_no_other(names):
    assert named({"TPU_WORKER_ID": "0"} | names) is None
    join(None)


def test_a_number_that_the_slice_does_not_give_is_refused(monkeypatch):
    monkeypatch.setenv("TPU_WORKER_ID", "2")
    with pytest.raises(ValueError, match="host 1 was asked for, but TPU_WORKER_ID is 2"):
        join(Host("10.0.0.7:8476", 4, 1))


def test_a_process_joins_once(monkeypatch):
    first = Host("10.0.0.7:8476", 4, 1)
    monkeypatch.setattr(multihost, "_joined", [first])
    join(first)
    with pytest.raises(ValueError, match="can't be"):
        join(Host("10.0.0.8:8476", 4, 1))
