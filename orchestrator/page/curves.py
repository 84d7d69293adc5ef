"""Training curves as a page draws them: smoothed as `scalectl plot curves` does, with few points."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from scalectl.analysis.law import Floats
from scalectl.analysis.smoothing import smoothed
from scalectl.orchestrator.page.laws import rounded
from scalectl.orchestrator.store.segments import Segment

_ALL, _LEAST, _MOST = 20_000, 16, 120  # points of all segments together, of one that has many, and of one at most
_DIGITS = 5


def curve_documents(segments: Iterable[Segment]) -> Iterator[dict[str, Any]]:
    """Yield each segment with its loss at a few steps, evenly spaced on a logarithmic axis.

    What a run has of its own begins at the last step that it shares with its trunk. Segments without a loss are left
    out.
    """
    listed = list(segments)
    most = min(_MOST, max(_LEAST, _ALL // max(1, len(listed))))
    trunk: Floats = np.empty((3, 0))
    for segment in listed:
        own = _drawn(segment)
        if not segment.run:
            trunk = own
        if not own.size:
            continue
        shared = np.empty((3, 0))
        if segment.run and trunk.size:
            shared = trunk[:, trunk[0] <= segment.branch]  # the trunk goes on, with steps that other runs leave it at
        whole = np.concatenate([shared, own], axis=1)
        means = smoothed(whole[0], whole[1])
        first = max(0, shared.shape[1] - 1)
        chosen = first + spread(whole[0, first:], most)
        yield {
            "run": segment.run,
            "runs": list(segment.runs),
            "steps": whole[0, chosen].astype(int).tolist(),
            "losses": rounded(means[chosen], _DIGITS),
            "seconds": rounded(whole[2, chosen], _DIGITS),
            "images_per_step": segment.images_per_step,
            "flops_per_step": segment.flops_per_step,
        }


def carried(trunks: Sequence[int]) -> Collection[int]:
    """The trunks that a figure can carry, given that of each segment: all, or so many, evenly apart, as have _LEAST of
    _ALL points for each of their segments.
    """
    room, distinct = _ALL // _LEAST, list(dict.fromkeys(trunks))
    if len(trunks) <= room:
        return distinct
    number = max(1, room * len(distinct) // len(trunks))
    return {distinct[place] for place in np.linspace(0, len(distinct) - 1, number).astype(int)}


def _drawn(segment: Segment) -> Floats:
    """The steps, losses and device-seconds [3, N] of a segment where a logarithmic axis can show them."""
    rows = np.array([segment.steps, segment.losses, segment.device_seconds], float)  # None becomes NaN
    rows[2] = np.nan_to_num(rows[2])
    return np.asarray(rows[:, np.isfinite(rows[1]) & (rows[1] > 0) & (rows[0] > 0)])


def spread(steps: Floats, most: int) -> Any:
    """The places of at most so many of sorted steps, evenly spaced in their logarithm, with the first and the last."""
    if len(steps) <= most:
        return np.arange(len(steps))
    wanted = np.geomspace(steps[0], steps[-1], most)
    return np.unique(np.minimum(np.searchsorted(steps, wanted), len(steps) - 1))
