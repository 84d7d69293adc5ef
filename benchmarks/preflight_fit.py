"""The numbers of the formula in trainer/memory.py, fitted to the cells of preflight_cells.csv, and how far off it is.

Least squares on relative errors, with no number below zero, drawn towards the arrays that were counted in programs of
the compiler, at their peaks: few cells can't tell arrays of similar sizes apart. The paper's shapes at their full depth
are left out.
"""

from dataclasses import astuple, fields
from itertools import chain

import numpy as np
from preflight_cells import PAPER, Cell, Measured, read
from scipy.optimize import least_squares

from scalectl.trainer import state_size
from scalectl.trainer.memory import Arrays, Weights, arrays, given, length_of
from scalectl.trainer.topology import topology

Rows = list[tuple[Cell, Measured]]

# Relative error that a number as far from its count as that count is large counts for. With less the errors on cells
# that are left out are larger, and with more they are no smaller.
PULL = 0.5
FOLDS = 5
NAMES = [field.name for field in fields(Arrays)]
_ONCE = {"gradients": 1, "gathered": 0.5, "patches": 1, "logits": 0.7, "pieces": 1}
COUNTED = {  # by layers and remat; what is below zero isn't fitted
    # rematerialised, a block is computed again, and its gradient needs all of its arrays, of attention's even two
    "full": Weights(
        Arrays(stream=1),
        Arrays(stacked=2, passed=0.5, **_ONCE),
        (
            Arrays(stream=4, hidden=1.2, scores=1, heads=3),
            Arrays(stream=2, hidden=0.2, scores=2, heads=5, spared=-1),
            Arrays(pool=4, pooled=3),
        ),
    ),
    # without, each block keeps its arrays, of which those of the MLP are no more there at the gradient of attention
    "loop none": Weights(
        Arrays(stream=4, hidden=1, scores=1, heads=3, passed=1),
        Arrays(**_ONCE),
        (
            Arrays(stream=1, hidden=0.2),
            Arrays(stream=-2, hidden=-1, scores=1, heads=2, spared=-1),
            Arrays(pool=4, pooled=2),
        ),
    ),
    # and a scan stacks them, as JAX has them in its program: XLA has no choice
    "scan none": Weights(
        Arrays(stream=3, hidden=5, heads=3, wide=6, softmax=1),
        Arrays(stacked=1, passed=0.5, **_ONCE),
        (Arrays(stream=3, hidden=2, scores=0.7, heads=3), Arrays(pool=6, pooled=2)),
    ),
}


def kind_of(cell: Cell) -> str:
    """The numbers that a cell's step has: those of all with rematerialisation are one."""
    return "full" if cell.remat == "full" else f"{cell.layers} none"


def fitted(kind: str, cells: Rows) -> Weights:
    """How many of each array steps of a kind hold."""
    rows = [row for row in cells if kind_of(row[0]) == kind and not squeezed(*row)]
    sizes = np.array([sizes_of(cell) / measured.peak for cell, measured in rows])
    depths = np.array([cell.depth for cell, _ in rows])
    goals = np.array([1 - known(cell) / measured.peak for cell, measured in rows])
    counted = table(COUNTED[kind])
    free = counted > 0
    if kind != "loop none":
        free[0] = False  # XLA has no choice of what a block keeps

    def off(numbers: np.ndarray) -> np.ndarray:
        tried = counted.copy()
        tried[free] = numbers
        kept, once, *phases = tried @ sizes.T
        errors = depths * kept + once + np.max(phases, axis=0) - goals
        pulled = PULL * (numbers - counted[free]) / np.maximum(counted[free], 0.25)
        return np.concatenate([errors, pulled])

    found = least_squares(off, counted[free], bounds=(0, np.inf), xtol=1e-12, ftol=1e-12)
    counted[free] = np.round(found.x, 2)
    kept, once, *phases = (Arrays(*map(float, row)) for row in counted)
    return Weights(kept, once, tuple(phases))


def table(weights: Weights) -> np.ndarray:
    """The numbers of weights: a row for what is kept, one for what is there once, and one for each phase."""
    return np.array([astuple(row) for row in chain((weights.kept, weights.once), weights.phases)], float)


def sizes_of(cell: Cell) -> np.ndarray:
    """The bytes of the arrays of a cell's step."""
    return np.array(astuple(arrays(cell.trunk, topology(cell.topology), length_of(cell.trunk))))


def known(cell: Cell) -> float:
    """The bytes of the arguments of a cell's step."""
    return given(cell.trunk, topology(cell.topology).devices)


def squeezed(cell: Cell, measured: Measured) -> bool:
    """Whether XLA computes parts of the step again for lack of room: what it says is then less than the arrays take."""
    return cell.layers == "loop" and cell.remat == "none" and measured.peak > 0.9 * measured.limit


def error(cell: Cell, measured: Measured, weights: Weights) -> float:
    """By which share the formula is above what the compiler says."""
    return (known(cell) + weights.bytes(Arrays(*sizes_of(cell)), cell.depth)) / measured.peak - 1


def report(name: str, errors: list[float]) -> None:
    sizes = np.abs(errors)
    within = ", ".join(f"{(sizes <= share).sum()} within {share:.0%}" for share in (0.1, 0.15, 0.2, 0.3))
    print(f"# {name}: {len(errors)} cells, {within}; from {min(errors):+.0%} to {max(errors):+.0%}")


def judged(rows: Rows, others: Rows) -> list[float]:
    """The errors on cells of numbers that are fitted to others."""
    numbers = {kind: fitted(kind, others) for kind in COUNTED}
    return [error(*row, numbers[kind_of(row[0])]) for row in rows if not squeezed(*row)]


def left_out(drawn: Rows) -> list[float]:
    """The errors on each fifth of the cells of numbers that are fitted to the other four."""
    parts = [drawn[part::FOLDS] for part in range(FOLDS)]
    return [error for part in parts for error in judged(part, [row for row in drawn if row not in part])]


def text(weights: Arrays) -> str:
    named = {name: getattr(weights, name) for name in NAMES}
    return f"Arrays({', '.join(f'{name}={number:g}' for name, number in named.items() if number)})"


def main() -> None:
    state_size.WHOLE = 0  # the cells were compiled while the state of every model was divided
    drawn = [row for row in read() if row[0] not in PAPER]
    for kind in COUNTED:
        weights = fitted(kind, drawn)
        phases = ", ".join(map(text, weights.phases))
        print(f"{kind.upper().replace(' ', '_')} = Weights({text(weights.kept)}, {text(weights.once)}, ({phases}))")
    report("drawn, counted", [error(*row, COUNTED[kind_of(row[0])]) for row in drawn if not squeezed(*row)])
    report("drawn, fitted", judged(drawn, drawn))
    report("drawn, each fifth left out in turn", left_out(drawn))
    if paper := judged([row for row in read() if row[0] in PAPER], drawn):
        report("shapes of the paper, left out", paper)


if __name__ == "__main__":
    main()
