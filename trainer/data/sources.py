"""What is known of each source of images before any is read."""

from typing import NamedTuple


class Facts(NamedTuple):
    """Counts of a source; its images are squares of `image_size` pixels."""

    num_images: int
    image_size: int
    channels: int
    num_classes: int


ENDLESS = 2**48  # images of a source that makes them, more than anyone can see
PLENTY = 10_000  # of them that evaluations take to train on

_FACTS = {
    "digits": Facts(1797, 8, 1, 10),  # scikit-learn's copy of the test set of UCI's Optical Recognition of Digits
    "synthetic": Facts(ENDLESS, 32, 3, 10),  # the sides and classes that it has unless others are asked for
}


def facts(source: str) -> Facts:
    """Return the counts of a source; raises KeyError for a name that is none."""
    return _FACTS[source]
