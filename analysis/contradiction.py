"""What a law of size and images expects that a frontier's band excludes: the frontier of a grid ends with the grid."""

from collections.abc import Iterator

from scalectl.analysis.allocation import NOWHERE, decades_beyond
from scalectl.analysis.checks import Refused
from scalectl.analysis.report import Fitted
from scalectl.analysis.sizes import SizeLaw
from scalectl.analysis.values import value


def contradiction(sizes: SizeLaw, fitted: Fitted, compute: float) -> Iterator[str]:
    """Yield what a law of size and images through all runs expects of the best size at a compute, where the band of the
    frontier's law excludes it.

    No size further outside the runs is looked at than one that is named as the best.
    """
    if decades_beyond(compute, fitted.frontier[fitted.x]) > NOWHERE:
        return
    try:
        expected = sizes.least(compute).estimate
    except Refused:
        return
    low, high = (float(end[0]) for end in fitted.band([compute]))
    if not (expected < low or expected > high):  # ends that aren't known exclude nothing
        return
    text = f"the law of size and images expects {value(fitted.metric, expected)} at {compute:.3g} {fitted.law.unit}"
    text = f"{text}, which the frontier's band excludes"
    if expected < low:
        text = f"{text}: the runs at its end may be larger or longer than is best, for the grid ends there"
    yield text
