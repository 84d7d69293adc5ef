"""Plans of small grids, worked out by hand, and properties of plans of grids drawn at random."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import SCHEDULES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cli import scalectl

from scalectl.orchestrator.cli import plan as plan_screen
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.bound import lower_bound
from scalectl.orchestrator.plan.document import document as document_of
from scalectl.orchestrator.plan.plan import Caps, Known, Plan
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.plan.proposal import proposed
from scalectl.orchestrator.plan.typed_slots import parse_slots
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.vocabulary import RunState
from scalectl.trainer.flops import training_flops

ONE, TWO = parse_slots(["1"]), parse_slots(["2"])


def planned(study, known: Known | None = None, **changes) -> Plan:
    return plan(read(study.write(**changes)), known)


def finished(before: Plan, jobs=None, known: Known | None = None) -> Known:
    """What a store knows once `jobs` (all of them unless told) are done."""
    known = known or Known()
    states, metrics = dict(known.states), dict(known.metrics)
    checkpoints = {owner: dict(steps) for owner, steps in known.checkpoints.items()}
    for job in before.jobs if jobs is None else jobs:
        checkpoints.setdefault(job.owner, {})[job.job.stop] = f"/kept/{job.id}"
        if job.job.run:
            states[job.owner] = RunState.DONE
            metrics[job.owner] = before.evals.metrics()
    return Known(states, metrics, checkpoints)


def spans(found: Plan) -> list[tuple[int, int]]:
    return [(job.job.start, job.job.stop) for job in found.jobs]


def test_budgets_share_one_trunk(study):
    found = planned(study, steps="[20, 40, 80]")  # cooldown 20 %: branches at 16, 32, 64
    assert spans(found) == [(0, 16), (16, 32), (32, 64), (16, 20), (32, 40), (64, 80)]
    assert len(found.trunks) == 1 and len(found.missing) == 3
    trunk = next(iter(found.trunks.values()))
    assert found.flops == training_flops(trunk, 64 + 4 + 8 + 16)
    assert found.flops_alone == training_flops(trunk, 20 + 40 + 80)


def test_a_job_says_what_it_does_and_for_which_run_without_its_name(study):
    first = planned(study, steps="[20, 40]")
    kinds = [(job.kind, job.run_name) for job in first.jobs]
    trunk, short, long = "pico-60", "pico-60-20", "pico-60-40"
    assert kinds == [("trunk", trunk), ("trunk", trunk), ("cooldown", short), ("cooldown", long)]
    assert [job.job.name for job in first.jobs[1:3]] == [f"{trunk} trunk 16 to 32", f"{short} cooldown"]
    assert [job.is_cooldown for job in first.jobs] == [False, False, True, True]
    again = planned(study, finished(first), steps="[20, 40]", shots="[5]")
    assert [(job.kind, job.run_name) for job in again.jobs] == [("evaluation", short), ("evaluation", long)]


def test_each_run_has_its_full_and_its_marginal_cost(study):
    found = planned(study, steps="[20, 40]")
    trunk = next(iter(found.trunks.values()))
    assert [run.flops for run in found.runs] == [training_flops(trunk, 20), training_flops(trunk, 40)]
    assert [run.marginal_flops for run in found.runs] == [training_flops(trunk, 20), training_flops(trunk, 16 + 8)]


@pytest.mark.parametrize("schedule", ["constant", "trapezoidal"])
def test_flat_schedules_share_trunks_as_the_papers_does(study, schedule):
    assert spans(planned(study, schedule=SCHEDULES[schedule])) == spans(planned(study))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_runs_whose_schedule_needs_the_horizon_share_nothing(study, schedule):
    found = planned(study, steps="[20, 40]", schedule=SCHEDULES[schedule])
    assert spans(found) == [(0, 20), (0, 40)] and [job.owner for job in found.jobs] == [run.id for run in found.runs]
    assert {job.kind for job in found.jobs} == {"training"}
    assert found.flops == found.flops_alone == sum(run.marginal_flops for run in found.runs)
    text = plan_screen.text(found, "experiments.yaml", "results.db", TWO)
    assert "2 runs on 0 trunks" in text and "Sharing" not in text
    assert f"{schedule} depends on the horizon: 2 runs of pico share nothing." in text


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_another_horizon_is_another_run(study, schedule):
    done = finished(planned(study, steps="[20, 40]", schedule=SCHEDULES[schedule]))
    assert spans(planned(study, done, steps="[20, 40, 80]", schedule=SCHEDULES[schedule])) == [(0, 80)]


def test_schedules_are_part_of_what_a_run_is(study):
    ids = {run.id for schedule in SCHEDULES.values() for run in planned(study, schedule=schedule).runs}
    assert len(ids) == 2 * len(SCHEDULES)


def test_a_done_study_has_no_jobs(study):
    found = planned(study)
    again = planned(study, finished(found))
    assert again.jobs == () and {run.reason for run in again.runs} == {"already done"}


def test_a_larger_budget_continues_the_stored_trunk(study):
    done = finished(planned(study, steps="[20, 40]"))
    assert spans(planned(study, done, steps="[20, 40, 160]")) == [(32, 128), (128, 160)]


def test_a_budget_in_between_starts_from_the_checkpoint_before_it(study):
    done = finished(planned(study, steps="[20, 80]"))
    assert spans(planned(study, done, steps="[20, 40, 80]")) == [(16, 32), (32, 40)]


def test_one_more_data_size_plans_only_its_runs(study):
    done = finished(planned(study))
    more = planned(study, done, sizes="[60, 120]")
    assert {run.spec.trunk.data.size for run in more.missing} == {120}
    assert {run for job in more.jobs for run in job.runs} == {run.id for run in more.missing}


@pytest.mark.parametrize("schedule", ["rsqrt", "cosine"])
def test_steps_that_a_checkpoint_holds_are_not_saved_by_sharing(study, schedule):
    """The plan of one run that goes on said that sharing saves what it had trained already."""
    (run,) = planned(study, steps="[80]", schedule=SCHEDULES[schedule]).jobs[-1:]
    known = Known(reached={run.id: run.job.stop - 3}, checkpoints={run.trunk: {run.job.start: "/kept"}})
    found = planned(study, known, steps="[80]", schedule=SCHEDULES[schedule])
    assert found.flops == found.flops_alone == training_flops(run.job.trunk, 3)
    assert "Sharing" not in plan_screen.text(found, "experiments.yaml", "results.db", TWO)


def test_of_what_is_left_of_a_trunk_sharing_saves_what_runs_have_in_common(study):
    first = planned(study, steps="[20, 40, 80]")  # branches at 16, 32, 64
    left = planned(study, finished(first, first.jobs[:1]), steps="[20, 40, 80]")
    trunk = left.jobs[0].job.trunk
    assert left.flops == training_flops(trunk, 4 + (16 + 8) + (32 + 16))
    assert left.flops_alone == training_flops(trunk, 4 + (16 + 8) + (48 + 16))


def test_a_new_evaluation_trains_nothing(study):
    done = finished(planned(study))
    more = planned(study, done, shots="[1, 5]")
    assert more.flops == 0 and len(more.jobs) == 2
    assert more.flops_alone == 0  # so that nothing is saved, either
    assert {run.reason for run in more.runs} == {"new evaluation: fewshot/digits/5shot/error"}


def test_all_new_evaluations_are_named_up_to_three(study):
    def reasons(known, shots):
        found = planned(study, known, shots=shots)
        return found, {run.reason.replace("fewshot/digits/", "") for run in found.runs}

    done = finished(planned(study))
    more, said = reasons(done, "[1, 2, 5]")
    assert said == {"new evaluation: 2shot/error, 5shot/error"}
    _, said = reasons(finished(more, known=done), "[1, 2, 3, 4, 5, 6, 7]")
    assert said == {"new evaluation: 3shot/error, 4shot/error, 6shot/error and 1 more"}


def test_fine_tuning_is_added_to_runs_that_are_done_and_again_when_it_changes(study):
    def more(known, steps):
        extra = f"  finetune: {{dataset: digits, steps: {steps}}}"
        return planned(study, known, extra=extra)

    done = finished(planned(study))
    tuned = more(done, 37)
    assert tuned.flops == 0 and {run.reason for run in tuned.runs} == {"new evaluation: finetune/digits/error"}
    done = finished(tuned, known=done)
    assert more(done, 37).jobs == ()
    assert {run.reason for run in more(done, 38).runs} == {"evaluation settings changed: finetune/digits/error"}


@pytest.mark.parametrize(
    ("state", "kind", "reason", "missing"),
    [
        (RunState.FAILED, "node_lost", "retry after failed (node_lost)", True),
        (RunState.STOPPED, "", "goes on: it was stopped", True),
        (RunState.DIVERGED, "nonfinite", "diverged: a result, left alone", False),
    ],
)
def test_each_state_has_its_reason(study, state, kind, reason, missing):
    run = planned(study, steps="[20]").runs[0]
    again = planned(study, Known(states={run.id: state}, failures={run.id: kind}), steps="[20]").runs[0]
    assert (again.reason, again.missing) == (reason, missing)


def test_the_same_file_gives_the_same_ids_in_any_folder_and_with_any_hash_seed(study, tmp_path):
    code = "import sys; from scalectl.orchestrator.experiment.reading import read;"
    code += "from scalectl.orchestrator.plan.planner import plan;"
    code += "print([run.id for run in plan(read(sys.argv[1])).runs])"
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "other.yaml").write_text(study.file.read_text().replace("./artifacts", "./weights"))
    said = [
        subprocess.check_output(
            [sys.executable, "-c", code, str(file)],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            cwd=file.parent,
            text=True,
        )
        for file, seed in [(study.file, "1"), (other / "other.yaml", "37")]
    ]
    assert said[0] == said[1]


def test_a_bucket_reaches_the_folders_of_the_jobs_as_it_was_typed(study, monkeypatch):
    monkeypatch.setattr(
        "scalectl.orchestrator.experiment.checking.find_spec", lambda name: name
    )  # as if gcsfs were installed
    file = study.write(steps="[20, 40]")
    file.write_text(file.read_text().replace("./artifacts", "gs://bucket/my/study/"))
    found = plan(read(file))
    trunk = found.jobs[0].trunk
    assert [job.job.folder for job in found.jobs] == [
        f"gs://bucket/my/study/trunks/{trunk}/16",
        f"gs://bucket/my/study/trunks/{trunk}/32",
        *(f"gs://bucket/my/study/runs/{run.id}" for run in found.runs),
    ]


def test_the_screen_says_what_sharing_saves_and_the_next_command(study):
    text = plan_screen.text(planned(study, steps="[20, 40, 80]"), "experiments.yaml", "results.db", TWO)
    assert "Sharing trunks saves 34 %" in text  # 92 steps instead of 140
    assert text.endswith("Next: scalectl launch experiments.yaml")
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_document_is_json_with_every_run_and_job(study):
    found = planned(study)
    document = json.loads(json.dumps(document_of(found, TWO)))
    assert [run["id"] for run in document["runs"]] == [run.id for run in found.runs]
    assert sum(job["flops"] for job in document["jobs"]) == document["total"]["flops"]


PAPER = Path(__file__).parents[1] / "studies" / "paper.yaml"


def test_the_papers_grid_shares_its_trunks():
    """280 points on 38 trunks; a trunk to 3.95M and eight cooldowns instead of 7.83M steps."""
    found = plan(read(PAPER))
    text = plan_screen.text(found, "paper.yaml", "paper.db", slots=proposed(found.jobs, 8))
    assert (len(found.runs), found.shared, found.skipped) == (280, 38, 72)
    one = [run for run in found.runs if (run.model, run.spec.trunk.data.size) == ("L/16", 10**9)]
    each = training_flops(one[0].spec.trunk, 1)
    assert (
        sum(run.flops for run in one) == 7_830_000 * each and sum(run.marginal_flops for run in one) == 4_230_000 * each
    )
    assert 0.45 < 1 - found.flops / found.flops_alone < 0.46
    assert "280 runs on 38 trunks" in text and "72 of 352 runs are left out" in text
    assert max(map(len, text.splitlines())) <= 100


def test_sizes_without_computes_in_common_are_told(study):
    """Steps that double land on no compute twice; IsoFLOP minima were missed once all was trained."""
    models = "models:\n" + "".join(
        f"  m{n}: {{width: {8 * n}, depth: {n}, num_heads: 2, patch_size: 4}}\n" for n in range(1, 6)
    )
    text = study.write(steps="[20, 40, 80]").read_text()
    study.file.write_text(re.sub("models:.*?\ndata:", f"{models}data:", text, flags=re.S))
    assert "IsoFLOP needs 3 computes with 5 sizes each, and finds 0" in shown(study)
    study.file.write_text(study.file.read_text().replace("{steps: [20, 40, 80]}", "{flops: [3e9, 9e9, 2.7e10]}"))
    assert "IsoFLOP" not in shown(study)
    assert "IsoFLOP" not in shown(study, "--set", "models={m1: {width: 8, depth: 1, num_heads: 2, patch_size: 4}}")


def test_a_cap_that_is_nearly_enough_is_told_with_all_digits(study):
    """A plan that needed 8.3e+09 FLOPs was refused because of a cap of 8.3e+09."""
    found = planned(study)
    with pytest.raises(Refusal, match=f"needs {found.flops} FLOPs and limits.max_flops is {found.flops - 1}"):
        Caps(max_flops=found.flops - 1).admit(found)
    with pytest.raises(Refusal, match=r"FLOPs and limits\.max_flops is 3\.7e\+06"):
        Caps(max_flops=3.7e6).admit(found)


def test_heads_of_one_model_are_no_sizes(study):
    text = study.write(steps="[20]").read_text()
    sweep = "{seeds: [0], sweep: {head: [map, gap, tok], pre_logits: [none, tanh]}}"
    study.file.write_text(text.replace("{seeds: [0]}", sweep))
    found = plan(read(study.file))
    assert len({run.params for run in found.runs}) == 6
    assert "IsoFLOP" not in plan_screen.text(found, "experiments.yaml", "results.db", TWO)


def shown(study, *words: str) -> str:
    done = scalectl("plan", study.file, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_law_that_will_rest_on_the_fewest_runs_is_said_with_what_they_are(study):
    paper = read(PAPER)
    said = "Tightest fit: upstream has 10 models, 4 data sizes, 8 budgets; 4 of 280 runs are held out."
    assert plan_screen.tightest(paper.fits, paper.cells) == said
    laws = "fits: {wide: {metric: upstream/loss}, narrow: {metric: upstream/error, hold_out: {steps: '>20'}}}\n"
    several = read(study.write(extra=laws, sizes="[60, 90]", steps="[20, 40]"))
    said = "Tightest fit: narrow has 1 model, 2 data sizes, 1 budget; 2 of 4 runs are held out."
    assert plan_screen.tightest(several.fits, several.cells) == said
    shown = scalectl("plan", study.file).stdout
    assert f"  {said}" in shown.splitlines()


def test_what_a_time_rests_on_is_told_of_measured_speeds_and_of_others(study):
    """Where one shape was not measured yet, all was said to be assumed."""
    text = study.write(steps="[20]").read_text()
    study.file.write_text(text.replace("{seeds: [0]}", "{seeds: [0], sweep: {head: [map, gap]}}"))
    experiment = read(study.file)
    speeds = {plan(experiment).jobs[0].shape: {"cpu": 3.7e9}}
    screen = plan_screen.text(plan(experiment, Known(speeds=speeds)), "experiments.yaml", "results.db", TWO)
    assert "estimate of the steps alone: measured speed of earlier runs,\n" in screen
    assert "of other shapes 2e+10 FLOP/s a slot assumed; about" in screen


def test_a_shape_that_is_only_evaluated_has_no_speed_that_could_be_assumed(study):
    """All speeds were said to be assumed, though those of all steps were measured."""
    text = study.write(steps="[20]").read_text()
    study.file.write_text(text.replace("{seeds: [0]}", "{seeds: [0], sweep: {head: [map, gap]}}"))
    first = plan(read(study.file))
    shape = first.jobs[0].shape
    trained = finished(first, [job for job in first.jobs if job.shape != shape])
    again = plan(read(study.file), replace(trained, metrics={}, speeds={shape: {"cpu": 3.7e9}}))
    assert {job.flops > 0 for job in again.jobs if job.shape != shape} == {False}
    screen = plan_screen.text(again, "experiments.yaml", "results.db", TWO)
    assert "estimate of the steps alone: measured speed of earlier runs, 3.7e+09 FLOP/s" in screen


def test_what_differs_among_the_runs_of_a_model_is_told_of_all(study):
    """Parameters, FLOPs and slots of a model were those of its first run, which is not even that of the file's head."""
    rule = "resources: {rules: [{when: {head: gap}, use: {device: cpu, type: cpu-2}}]}\n"
    text = study.write(extra=rule, steps="[20]").read_text()
    study.file.write_text(text.replace("{seeds: [0]}", "{seeds: [0], sweep: {head: [map, gap]}}"))
    sizes = sorted(f"{run.params / 1e3:.3g} k" for run in plan(read(study.file)).runs)
    row = next(line for line in shown(study).splitlines() if line.startswith("  pico"))
    cells = re.split(" {2,}", row.strip())
    assert cells[1] == " to ".join(sizes) and " to " in cells[2] and sorted(cells[-1].split(", ")) == ["any", "cpu-2"]


@pytest.mark.parametrize("budgets", ["{flops: [3e9, 9e9]}", "{device_hours: [1, 3], flops_per_second: 8e5}"])
def test_budgets_are_counted_as_the_file_has_them(study, budgets):
    """Two budgets in FLOPs give each of four models steps of its own, and were called eight."""
    models = "".join(f"  m{n}: {{width: {8 * n}, depth: 1, num_heads: 2, patch_size: 4}}\n" for n in range(1, 5))
    text = study.write(steps="[20, 40]").read_text().replace("{steps: [20, 40]}", budgets)
    study.file.write_text(re.sub("models:.*?\ndata:", f"models:\n{models}data:", text, flags=re.S))
    experiment = read(study.file)
    assert len({cell.run.steps for cell in experiment.cells}) == 8
    said = plan_screen.tightest(experiment.fits or {"upstream": Fit(metric="upstream/error")}, experiment.cells)
    assert said == "Tightest fit: upstream has 4 models, 1 data size, 2 budgets."


# TPU v3 core-days of 100,000 steps at batch 4096, from Figure 2 of arXiv 2106.04560, where they follow from the steps
CORE_DAYS = {
    "s/28": 1.3349,
    "s/16": 3.3630,
    "S/32": 3.0667,
    "Ti/16": 4.3112,
    "B/32": 7.9557,
    "S/16": 7.9260,
    "B/28": 8.0446,
    "B/16": 20.459,
    "L/16": 63.615,
    "g/14": 271.11,
    "G/14": 549.96,
}


def test_each_model_of_the_papers_grid_costs_what_the_paper_says():
    found = plan(read(PAPER))
    assert {job.fit.types for job in found.jobs} == {("v3-32",), ("v3-128",), ("v3-512",)}
    models = {run.spec.trunk.model: run.model for run in found.runs}
    steps, hours = Counter(), Counter()
    for job in found.jobs:
        steps[models[job.job.trunk.model]] += job.job.stop - job.job.start
        hours[models[job.job.trunk.model]] += job.device_hours
    days = {name: hours[name] / 24 / steps[name] * 1e5 for name in CORE_DAYS}
    assert days == pytest.approx(CORE_DAYS, rel=0.2)
    assert {name: days[name] for name in list(CORE_DAYS)[:-2]} == pytest.approx(
        dict(list(CORE_DAYS.items())[:-2]), rel=0.04
    )
    said = plan_screen.text(found, "f", "s", slots=proposed(found.jobs, 1))
    assert "13 to 52 % of 61.5 TFLOP/s, ±20 %" in " ".join(said.split())


def test_rematerialisation_takes_a_third_more_time():
    often, once = (plan(read(PAPER, [("train.remat", remat)])).device_hours for remat in ("full", "none"))
    assert often == pytest.approx(once * 4 / 3)


def test_measured_speed_takes_the_place_of_the_stated_one(study):
    extra = "resources: {default: {peak_flops: 1e12, mfu: 0.37, price_per_device_hour: 2.5}}\n"
    before = planned(study, extra=extra)
    assert before.device_hours == pytest.approx(before.flops / 0.37e12 / 3600) and not before.measured
    after = planned(study, Known(speeds={before.jobs[0].shape: {"cpu": 1e9}}), extra=extra)
    assert after.device_hours == pytest.approx(after.flops / 1e9 / 3600) and after.measured
    assert after.price == pytest.approx(2.5 * after.device_hours)
    assert "measured speed of earlier runs, 1.0e+09 FLOP/s a device" in plan_screen.text(after, "f", "s", ONE)
    assert planned(study).price is None


def test_a_speed_that_was_measured_on_slots_of_another_type_is_none(study):
    extra = "resources: {default: {type: [v5e-16, v4-16]}}\n"
    stated = planned(study, extra=extra)
    (shape,) = {job.shape for job in stated.jobs}
    for speeds in ({"cpu": 1e9}, {"v4-16": 3e13}):
        assert planned(study, Known(speeds={shape: speeds}), extra=extra) == stated
    measured = planned(study, Known(speeds={shape: {"v5e-16": 37e12, "cpu": 1e9}}), extra=extra)
    assert lower_bound(measured.jobs, parse_slots(["1xv5e-16"])) == pytest.approx(stated.flops / 37e12)
    assert measured.measured
    anywhere = planned(study, Known(speeds={shape: {"v5e-16": 37e12, "cpu": 1e9}}))
    assert lower_bound(anywhere.jobs, ONE) == pytest.approx(stated.flops / 1e9)  # where it ran last


def test_the_first_rule_that_holds_says_where_a_run_goes(study):
    rules = 'resources: {default: {priority: 1}, rules: [{when: {data_size: ">100"}, use: {device: gpu}},'
    rules += " {when: {data_size: 120}, use: {type: h100}}]}\n"
    places = {run.spec.trunk.data.size: run.fit for run in planned(study, sizes="[60, 120]", extra=rules).runs}
    assert (places[60].types, places[120].types) == ((), ("gpu",))
    assert places[120].priority == 1


def test_runs_that_left_the_file_are_said_and_left_alone(study):
    from told import planning, rows, write

    records, found = planning(study, steps="[20, 40, 80]")
    with records:
        write(records, found.jobs)
    again = plan(read(study.write(steps="[20]")), known(study.store))
    assert again.unlisted == 2 and not again.jobs
    said = plan_screen.text(again, "f", "s", ONE)
    assert "The study's laws also count 2 runs that this file lacks: scalectl prune --dry-run f shows them." in said
    records, _ = planning(study, steps="[20]")
    records.close()
    assert rows(study, "SELECT state FROM runs") == ["done"] * 3


def test_what_an_edited_key_changed_is_said(study):
    from told import planning

    planning(study, steps="[20, 40]")[0].close()
    path = study.write(steps="[20, 40]")

    def said(*changes: str) -> str:
        return plan_screen.plan_file(path, changes).text()

    assert "The new runs differ from these in batch_size (8, before 16)." in said("train.batch_size=8")
    assert "in width (24, before 8), mlp_dim (96, before 32)." in said("models.pico.width=24")
    edited = said("train.batch_size=8", "budgets.steps=[20, 40, 80]")  # a budget is added by the same edit
    assert "The new runs differ from these in batch_size (8, before 16)." in edited
    assert "The new runs differ" not in said("grid.seeds=[7]") + said("budgets.steps=[20, 60]") + said()


grids = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.integers(10, 1300), min_size=1, max_size=3, unique=True).map(sorted).map(str),
        "steps": st.lists(st.integers(10, 3000), min_size=1, max_size=6, unique=True).map(sorted).map(str),
        "seeds": st.lists(st.integers(0, 99), min_size=1, max_size=2, unique=True).map(str),
        "schedule": st.sampled_from(list(SCHEDULES.values())),
    }
)
drawn = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@drawn
@given(grid=grids)
def test_every_job_comes_after_its_need_and_begins_where_that_ends(study, grid):
    found = planned(study, **grid)
    ended = {}
    for job in found.jobs:
        assert all(ended[need] == job.job.start for need in job.needs)
        assert bool(job.needs) == (job.job.start > 0)
        ended[job.id] = job.job.stop
    assert len(ended) == len(found.jobs)


@drawn
@given(grid=grids)
def test_no_step_of_a_trunk_is_planned_twice(study, grid):
    found = planned(study, **grid)
    for trunk in found.trunks:
        pieces = sorted((j.job.start, j.job.stop) for j in found.jobs if j.owner == trunk)
        assert all(first[1] == second[0] for first, second in pairwise(pieces))
        assert not pieces or pieces[0][0] == 0
        assert bool(pieces) == any(run.spec.branch for run in found.runs if run.trunk == trunk)
    assert found.flops == sum(run.marginal_flops for run in found.runs) <= found.flops_alone


@drawn
@given(grid=grids, data=st.data())
def test_after_any_part_of_it_the_plan_is_the_rest(study, grid, data):
    found = planned(study, **grid)
    count = data.draw(st.integers(0, len(found.jobs)))
    rest = planned(study, finished(found, found.jobs[:count]), **grid)
    assert [job.id for job in rest.jobs] == [job.id for job in found.jobs[count:]]
