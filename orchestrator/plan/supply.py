"""Whether decoding keeps up with GPUs and TPUs: images that a slot takes a second, and those that its readers give."""

from collections.abc import Iterator

from scalectl.orchestrator.format import count
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.trainer.data import registry
from scalectl.trainer.data.decoding_rate import kept
from scalectl.trainer.flops import training_flops
from scalectl.trainer.spec import DataSpec

# Seconds of one core for an image, assumed where none was decoded yet: 380 JPEGs of photographs a second become squares
# of 224 pixels, and more become smaller ones (benchmarks/decode.py).
FIXED_SECONDS, SECONDS_A_PIXEL = 1e-4, 2.53e-3 / 224**2
CORES = 12  # of a device, where the file doesn't say how many processes read


def shortfalls(plan: Plan) -> Iterator[str]:
    """Yield a sentence for each model that takes more images a second than its slot's readers are likely to decode."""
    names, told = {run.id: run.model for run in plan.runs}, set[str]()
    for job in plan.jobs:
        model = names[job.runs[0]]
        if not job.flops or not job.fit.peak or model in told or not _is_decoded(job.job.trunk.data):
            continue
        told.add(model)
        rate, basis = _rate(job.job.trunk.data)
        needed, readers = _needed(job), _readers(job)
        if needed > readers * rate:
            taken = f"{model} takes {count(needed)} images a second on a slot"
            given = f"{readers:g} readers decode {count(readers * rate)}, {count(rate)} each as {basis}"
            yield f"{taken}, and {given}: set data.cache, or raise resources.workers to {needed / rate:,.0f}."


def _needed(job: PlannedJob) -> float:
    """The images that a job takes a second, at the speed that its plan goes by."""
    trunk = job.job.trunk
    return job.flops / job.seconds / training_flops(trunk, 1) * trunk.recipe.batch_size


def _readers(job: PlannedJob) -> float:
    """The cores that read for a job, of those that a slot is likely to have where the file names no number."""
    if job.job.workers is None:
        return CORES * job.fit.devices
    return float(max(1, job.job.workers))


def _is_decoded(data: DataSpec) -> bool:
    return isinstance(registry.source(data.source), registry.Files) and not data.cached


def _rate(data: DataSpec) -> tuple[float, str]:
    """The images that one core decodes a second, and what that rests on."""
    if measured := kept(data):
        return measured, "measured"
    return 1 / (FIXED_SECONDS + SECONDS_A_PIXEL * data.image_size**2), "assumed"
