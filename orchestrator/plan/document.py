"""A plan as a JSON object."""

from collections.abc import Sequence
from typing import Any

from scalectl.orchestrator.plan.bound import lower_bound
from scalectl.orchestrator.plan.plan import Plan, PlannedRun
from scalectl.orchestrator.plan.proposal import by_type
from scalectl.orchestrator.vocabulary import Slot


def document(plan: Plan, slots: Sequence[Slot]) -> dict[str, Any]:
    """The plan as a JSON object: study, totals, runs and jobs; docs/results.md lists its keys."""
    return {
        "study": plan.study,
        "total": {
            "runs": len(plan.runs),
            "missing": len(plan.missing),
            "trunks": plan.shared,
            "jobs": len(plan.jobs),
            "flops": plan.flops,
            "flops_alone": plan.flops_alone,
            "device_hours": plan.device_hours,
            "price": plan.price,
            "skipped": plan.skipped,
            "unlisted": plan.unlisted,
            "seconds": lower_bound(plan.jobs, slots),
            "slots": len(slots),
            "slots_by_type": by_type(slots),
            "measured": plan.measured,
        },
        "runs": [_run(run) for run in plan.runs],
        "jobs": [
            {
                "id": job.id,
                "name": job.job.name,
                "trunk": job.trunk,
                "start": job.job.start,
                "first_step": job.first_step,
                "stop": job.job.stop,
                "needs": list(job.needs),
                "runs": list(job.runs),
                "flops": job.flops,
                "seconds": job.seconds,
                "device_hours": job.device_hours,
                "slot_types": list(job.fit.types),
                "priority": job.fit.priority,
            }
            for job in plan.jobs
        ],
    }


def _run(run: PlannedRun) -> dict[str, Any]:
    trunk = run.spec.trunk
    return {
        "id": run.id,
        "name": run.name,
        "model": run.model,
        "data_size": trunk.data.size,
        "steps": run.spec.steps,
        "cooldown": run.spec.cooldown,
        "seed": trunk.seed,
        "trunk": run.trunk,
        "params": run.params,
        "flops_per_image": run.flops_per_image,
        "flops": run.flops,
        "marginal_flops": run.marginal_flops,
        "images_seen": run.spec.steps * trunk.recipe.batch_size,
        "state": run.state.with_failure(run.failure),
        "reason": run.reason,
        "missing": run.missing,
    }
