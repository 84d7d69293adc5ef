"""The schedule on a virtual clock: bounds, invariants over many seeds, and the paper's grid."""

import itertools
import json
import math
import random
import statistics
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import scalectl
from test_schedule import forests, on, planned

from scalectl.orchestrator.cli import simulate as simulate_screen
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.format import exact, share
from scalectl.orchestrator.plan.bound import lower_bound
from scalectl.orchestrator.plan.placement import Fit
from scalectl.orchestrator.plan.plan import Caps, PlannedJob
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.plan.preemptions import Preemptions, parse_rate
from scalectl.orchestrator.plan.simulator import Unplaceable, simulate
from scalectl.orchestrator.plan.typed_slots import InvalidSlots, parse_slots
from scalectl.orchestrator.slot_types import devices_of
from scalectl.orchestrator.vocabulary import JobKind

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "studies" / "paper.yaml"


def overlapping(lives) -> bool:
    by_slot = defaultdict(list)
    for life in lives:
        by_slot[life.slot].append((life.start, life.stop))
    return any(first[1] > second[0] + 1e-9 for spans in by_slot.values() for first, second in pairwise(sorted(spans)))


def interval(job) -> float:
    """The seconds between two checkpoints of a job as it was planned."""
    return job.seconds * job.job.checkpoint_every / (job.job.stop - job.job.start)


@pytest.mark.parametrize("examples", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_over_many_seeds_nothing_is_run_twice_lost_or_overspent(examples):
    @given(
        jobs=forests(),
        count=st.integers(1, 4),
        taken=st.builds(Preemptions, st.sampled_from([0.0, 37.0, 150.0]), st.booleans(), st.integers(0), st.just(7.0)),
        cap=st.sampled_from([math.inf, 0.0037]),
    )
    @settings(max_examples=examples, deadline=None)
    def holds(jobs, count, taken, cap):
        jobs = [replaced(job, every=2) for job in jobs]
        found = simulate(jobs, on(count), taken, Caps(max_device_hours=cap))
        check({job.id: job for job in jobs}, found)
        assert found.device_hours <= cap * (1 + 1e-9)
        if cap == math.inf:
            assert found.done == found.runs == len(jobs)
            kept = sum(life.stop - life.start - life.lost for life in found.lives)
            assert kept == pytest.approx(sum(job.seconds for job in jobs))
            assert found.makespan >= lower_bound(jobs, on(count)) - 1e-9

    holds()


def check(whole, found) -> None:
    """Each job ends once and after what it needs; no slot is shared; no more is lost than since a checkpoint."""
    ends = {life.job.id: life.stop for life in found.lives if life.state == "done"}
    assert len(ends) == sum(life.state == "done" for life in found.lives)
    assert not overlapping(found.lives)
    for life in found.lives:
        assert 0 <= life.lost <= interval(whole[life.job.id]) + 1e-9
        assert all(ends[need] <= life.start for need in whole[life.job.id].needs)


def replaced(job, every):
    return replace(job, job=replace(job.job, checkpoint_every=every))


@given(forests(), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_the_same_seed_gives_the_same_simulation(jobs, count, seed):
    taken = Preemptions(37.0, seed=seed)
    assert simulate(jobs, on(count), taken) == simulate(jobs, on(count), taken)


def test_a_chain_and_its_branches_by_hand():
    jobs = [planned("a", 3.0), planned("b", 5.0, ("a",)), planned("c", 2.0, ("a",)), planned("d", 1.0, ("b",))]
    found = simulate(jobs, on(2))
    assert (found.makespan, found.lower_bound, found.goodput) == (9.0, 9.0, 1.0)
    assert [(life.job.id, life.start) for life in found.lives] == [("a", 0.0), ("b", 3.0), ("c", 3.0), ("d", 8.0)]


def test_the_bound_counts_work_that_only_some_slots_will_do_for():
    jobs = [planned(f"large-{n}", 10.0, types=("h100",)) for n in range(4)] + [planned("small", 1.0)]
    two = on(2, "h100") + on(7)
    assert lower_bound(jobs, two) == 20.0 == simulate(jobs, two).makespan


def test_a_job_is_quicker_on_a_larger_slice():
    job = planned("either", 37.0, types=("v5e-16", "v5e-64"))
    job = replace(job, fit=Fit(job.fit.types, devices=16.0))
    assert simulate([job], on(1, "v5e-64")).makespan == 37.0 / 4
    assert simulate([job], on(1, "v5e-64")).device_hours == pytest.approx(37.0 * 16 / 3600)


def test_devices_that_a_file_states_are_what_is_spent():
    whole = [planned(f"half-{n}", 3600.0, types=("h100",)) for n in range(4)]
    halves = [replace(job, fit=replace(job.fit, devices=0.5)) for job in whole]
    assert simulate(halves, on(2, "h100")).device_hours == 2.0 == sum(job.device_hours for job in halves)
    assert lower_bound(halves, on(2, "h100")) == 7200.0 == simulate(halves, on(2, "h100")).makespan
    capped = simulate(halves, on(2, "h100"), caps=Caps(max_device_hours=1.5))
    assert capped.device_hours == pytest.approx(1.5) and capped.done == 2


def test_pre_emptions_at_once_take_all_slots_of_a_type_at_the_same_moment():
    jobs = [planned(f"job-{n}", 3600.0) for n in range(4)]
    jobs = [replaced(job, every=1) for job in jobs]
    found = simulate(jobs, on(4), Preemptions(5.0, correlated=True, seed=3))
    moments = [life.stop for life in found.lives if life.state == "preempted"]
    assert moments and all(moments.count(at) == 4 for at in set(moments))
    assert found.goodput < 1 and found.lost > 0


def test_a_cap_stops_everything_without_losing_work():
    jobs = [planned(f"job-{n}", 10.0) for n in range(10)]
    found = simulate(jobs, on(2), caps=Caps(max_device_hours=25 / 3600))
    assert found.device_hours == pytest.approx(25 / 3600) and found.done == 2 and found.lost == 0
    assert {life.state for life in found.lives} == {"done", "stopped"}
    found = simulate(jobs, on(2), caps=Caps(max_flops=37 * 2.5))
    assert sum(life.stop - life.start for life in found.lives) == pytest.approx(25.0)


def test_slots_that_never_live_to_a_checkpoint_are_refused():
    with pytest.raises(Unplaceable, match="never reaches a checkpoint"):
        simulate([planned("job", 360_000.0)], on(1), Preemptions(60.0))


@pytest.mark.parametrize("text", ["0xv5e-16", "x", "1000000xcpu", "4 v5e-16", "4xv5e-16,2", "-1"])
def test_what_is_no_number_of_slots_is_refused(text):
    with pytest.raises(InvalidSlots, match="COUNTxTYPE with a COUNT of 1 to 999999"):
        parse_slots([text])


@pytest.mark.parametrize("text", ["31/h", "721/d", "3e9/h", "-1/h", "2"])
def test_a_rate_at_which_slots_are_never_there_is_refused(text):
    with pytest.raises(InvalidSlots, match=f"--preempt {text}: "):
        parse_rate(text)
    assert parse_rate("30/h") == parse_rate("720/d") == 30.0


def test_slots_and_rates_are_read():
    found = parse_slots(["2xv5e-16", "3", "1xv5e-16"])
    assert [slot.type for slot in found] == ["v5e-16"] * 2 + ["cpu"] * 3 + ["v5e-16"]
    assert len({slot.name for slot in found}) == 6
    assert (parse_rate("0.2/h"), parse_rate("12/d"), parse_rate(None)) == (0.2, 0.5, 0.0)
    assert [devices_of(kind) for kind in ("v5e-16", "v5litepod-256", "h100", "cpu")] == [16, 256, 1, 1]


@pytest.fixture(scope="module")
def paper():
    return plan(read(PAPER))


@pytest.mark.parametrize("count", [8, 32, 128])
def test_the_papers_grid_is_within_5_percent_of_the_least_possible(paper, count):
    """G/14's own 4M steps are the bound on slots of one type; without g and G the work is, or L/16's."""
    for models in ({"g/14", "G/14"}, set()):
        runs = {run.id for run in paper.runs if run.model not in models}
        jobs = [anywhere(job) for job in paper.jobs if runs.issuperset(job.runs)]
        found = simulate(jobs, on(count, "v3-32"))
        assert found.makespan <= 1.05 * found.lower_bound
        assert found.lower_bound >= sum(job.seconds for job in jobs) / count


def anywhere(job):
    """The job on any slot, as fast as on one v3-32."""
    return replace(job, fit=Fit(devices=32.0), seconds=job.seconds * job.fit.devices / 32)


def test_the_papers_grid_on_slices_of_three_sizes(paper):
    found = simulate(paper.jobs, parse_slots(["8xv3-32", "4xv3-128", "2xv3-512"]))
    assert found.makespan <= 1.05 * found.lower_bound and found.done == 280
    assert all(life.slot.type in life.job.fit.types for life in found.lives)


def big(tmp_path: Path) -> Path:
    """A grid of 10,000 runs."""
    widths = ", ".join(f"w{n}: {{width: {8 * n}, depth: 1, num_heads: 2, patch_size: 4}}" for n in range(1, 6))
    text = f"""\
version: 1
name: big
models: {{{widths}}}
data: {{source: synthetic, sizes: {[1000 * n for n in range(1, 11)]}}}
train:
  batch_size: 16
  optimizer: {{name: adafactor, lr: 3e-3}}
  schedule: {{warmup: 4, timescale: 10}}
budgets: {{steps: {[100 * n for n in range(1, 11)]}}}
grid: {{seeds: {list(range(20))}}}
"""
    (tmp_path / "big.yaml").write_text(text)
    return tmp_path / "big.yaml"


@pytest.mark.slow
def test_ten_thousand_runs_are_planned_and_simulated_to_their_ends(tmp_path):
    file = big(tmp_path)
    found = plan(read(file))
    simulated = simulate(found.jobs, on(32), Preemptions(0.2, seed=37))
    assert len(found.runs) == simulated.done == 10_000


def test_the_command_answers_for_people_and_for_programs(study):
    words = ("--slots", "2", "--preempt", "0.2/h", "--correlated")
    text = scalectl("simulate", study.file.name, *words, cwd=study.folder)
    assert text.returncode == 0 and "2 x cpu" in text.stdout and "Next: scalectl launch" in text.stdout
    assert max(map(len, text.stdout.splitlines())) <= 100
    found = json.loads(scalectl("simulate", study.file, "--slots", "1xcpu", "-o", "json").stdout)
    assert found["goodput"] == 1.0 and found["makespan_seconds"] == pytest.approx(found["lower_bound_seconds"])
    assert [path.name for path in study.folder.iterdir()] == ["experiments.yaml"]


def test_what_a_cap_cuts_off_is_not_compared_with_the_least_time_of_the_whole():
    """It was said to take 73 % less than the least possible."""
    jobs = [planned(f"job-{n}", 10.0) for n in range(10)]
    whole, capped = (simulate(jobs, on(2), caps=Caps(max_device_hours=cap)) for cap in (1.0, 25 / 3600))
    assert "50 s from start to end, 0 % above the least possible (50 s)." in simulate_screen.text(whole, "", on(2), "")
    text = simulate_screen.text(capped, "", on(2), "")
    assert "12 s until a cap of limits is reached; all runs take 50 s at least." in text and "above" not in text


def test_slots_that_will_not_do_are_refused(study):
    refused = scalectl("simulate", study.file, "--slots", "2", "--set", "resources={default: {type: v5e-16}}")
    assert refused.returncode == 4 and "need a slot of type v5e-16" in refused.stderr
    assert scalectl("simulate", study.file, "--slots", "two").returncode == 2


def study_jobs(chance: random.Random) -> list[PlannedJob]:
    """The trunks and cooldowns of a grid: models of growing cost, data sizes, seeds, and budgets that share trunks."""
    budgets = [200 * 2**n for n in range(chance.randint(1, 5))]
    share, growth, jobs = chance.choice([0.1, 0.2, 0.5, 1.0]), chance.uniform(1.2, 4.0), []
    for model, trunk in itertools.product(range(chance.randint(1, 5)), range(chance.randint(1, 6))):
        cost, need, reached, shape = growth**model * chance.uniform(0.8, 1.2), (), 0, f"shape-{model}"
        for steps in budgets:
            branch = round(steps * (1 - share))
            if branch > reached:
                stretch = planned(f"{model}-{trunk}-{branch}", cost * (branch - reached), need, shape)
                need, reached = (stretch.id,), branch
                jobs.append(stretch)
            ending = planned(f"{model}-{trunk}-run-{steps}", cost * (steps - branch), need, shape)
            jobs.append(replace(ending, kind=JobKind.COOLDOWN))
    return jobs


def ends(lives) -> list[float]:
    return sorted(life.stop for life in lives if "run" in life.job.id)


def test_first_runs_end_early_at_no_cost_to_the_whole():
    """Against the same jobs with no word on which of them end runs; as benchmarks/early.py, on fewer grids."""
    chance, later, longer = random.Random(37), [], []
    for _ in range(60):
        jobs, slots = study_jobs(chance), on(chance.choice([1, 2, 4, 8]))
        early = simulate(jobs, slots)
        plain = simulate([replace(job, kind=JobKind.TRUNK) for job in jobs], slots)
        longer.append(early.makespan / plain.makespan)
        later.append((ends(early.lives)[0] / plain.makespan, ends(plain.lives)[0] / plain.makespan))
    assert statistics.mean(longer) < 1.002 and max(longer) < 1.03
    now, before = (statistics.median(shares) for shares in zip(*later, strict=True))
    assert now < before / 2


def test_runs_of_many_trunks_end_all_along():
    """A launch that is cut off has runs to show for its time, and the law is there before the end."""
    jobs = [
        part
        for trunk in range(24)
        for part in (
            planned(f"{trunk}-160", 160.0),
            replace(planned(f"{trunk}-run-200", 40.0, (f"{trunk}-160",)), kind=JobKind.COOLDOWN),
            planned(f"{trunk}-320", 160.0, (f"{trunk}-160",)),
            replace(planned(f"{trunk}-run-400", 80.0, (f"{trunk}-320",)), kind=JobKind.COOLDOWN),
        )
    ]
    found = simulate(jobs, on(2))
    stops = ends(found.lives)
    assert stops[len(stops) // 4] < found.makespan / 3 and stops[len(stops) // 2] < 0.55 * found.makespan
    assert found.makespan < 1.02 * found.lower_bound


def test_a_share_that_sums_of_floats_leave_below_zero_is_zero():
    assert [share(value) for value in (-1e-12, 0.0, 0.042, 0.46, -0.1)] == ["0 %", "0 %", "4.2 %", "46 %", "-10 %"]


def test_no_share_but_nothing_and_all_is_told_as_such():
    assert [share(value) for value in (1e-5, 0.0006, 0.994, 0.9951, 0.99996)] == [
        "< 0.1 %",
        "0.1 %",
        "99 %",
        "99.5 %",
        "99.9 %",
    ]
    assert [share(value) for value in (1e-12, 1 - 1e-12, 1.0)] == ["0 %", "100 %", "100 %"]


def test_a_number_of_a_next_command_is_the_one_that_was_typed():
    numbers = [3e15, 1.2345678e15, 1e21, 0.1, 1 / 3]
    assert [float(exact(number)) for number in numbers] == numbers and exact(3e15) == "3e+15"
