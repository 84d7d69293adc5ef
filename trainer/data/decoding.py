"""How pictures of files become colours: what a study says of it, and the bounds on what is opened."""

from dataclasses import dataclass

from scalectl.trainer.spec import MAX_PIXELS, Background, DataSpec, Orientation

MAX_ENCODED = 2**30  # bytes of one picture in its file


@dataclass(frozen=True)
class Decoding:
    """The settings of a study that say how pictures are decoded; the defaults are those of experiments.yaml."""

    orientation: Orientation = "turned"
    background: Background = "white"
    black: float = 0.0  # the value of grey pictures of 16 bits or more that becomes black
    white: float = 0.0  # the one that becomes white; where both are 0, the depth that the file declares says it
    max_pixels: int = MAX_PIXELS

    @property
    def has_range(self) -> bool:
        """Whether the study says which values become black and white."""
        return (self.black, self.white) != (0, 0)


def decoding(spec: DataSpec) -> Decoding:
    """How the pictures of a spec are decoded."""
    return Decoding(spec.orientation, spec.background, spec.black, spec.white, spec.max_pixels)
