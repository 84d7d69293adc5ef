"""The numbers of the formula in trainer/memory.py, fitted to the cells of preflight_cells.csv, and how far off it is.

Least squares on relative errors, with no number below zero, drawn towards the arrays that are seen in the programs of
the compiler: few cells can't tell arrays of similar sizes apart. The paper's shapes at their full depth are left out.
"""

from dataclasses import astuple, fields

import numpy as np
from preflight_cells import PAPER, Cell, Measured, read
from scipy.optimize import nnls

from scalectl.trainer import state_size
from scalectl.trainer.memory import Arrays, arrays, given, length_of
from scalectl.trainer.topology import topology

Rows = list[tuple[Cell, Measured]]
Numbers = tuple[Arrays, Arrays]

# Relative error that a number as far from its first guess as that guess is large counts for. With less the errors on
# cells that are left out are larger, and with more they are no smaller.
PULL = 0.2
FOLDS = 5
KEPT = {  # arrays that each block keeps, counted in programs; in an unrolled loop alone XLA chooses freely
    ("loop", "none"): Arrays(stream=4, hidden=2, scores=1, heads=3),
    ("scan", "none"): Arrays(stream=3, hidden=5, heads=3, wide=6, softmax=1),
    ("loop", "full"): Arrays(stream=1),
    ("scan", "full"): Arrays(stream=1),
}
_AGAIN = {"stream": 3, "hidden": 2, "scores": 1, "heads": 3.5, "wide": 0.5, "turns": 1}
_REST = {"gathered": 0.5, "patches": 1, "logits": 1, "pieces": 1, "pool": 2}
ONCE = {  # and those that are there once, such as what the gradient of a block needs
    ("loop", "none"): Arrays(1, stream=1.5, hidden=0.5, scores=0.5, heads=1, wide=0.5, turns=0.5, **_REST),
    ("scan", "none"): Arrays(2, stream=2, hidden=2, scores=0.7, heads=3, wide=0.5, turns=0.5, **_REST),
    ("loop", "full"): Arrays(1, **_AGAIN, **_REST),
    ("scan", "full"): Arrays(3, **_AGAIN, **_REST),
}


def fitted(choice: tuple[str, str], cells: Rows) -> Numbers:
    """The arrays of each block, and those that are there once, of steps with these layers and this remat."""
    free = choice == ("loop", "none")
    kept, once = np.array(astuple(KEPT[choice])), np.array(astuple(ONCE[choice]))
    rows, goals = [], []
    for cell, measured in cells:
        if (cell.layers, cell.remat) != choice or squeezed(cell, measured):
            continue
        sizes, known = sizes_of(cell), given(cell.trunk, topology(cell.topology).devices)
        rows.append(np.concatenate([cell.depth * sizes, sizes] if free else [sizes]) / measured.peak)
        goals.append(1 - (known + (not free) * cell.depth * sizes @ kept) / measured.peak)
    guess = np.concatenate([kept, once] if free else [once])
    pull = PULL / np.maximum(guess, 0.25)
    pull[guess == 0] = 10.0  # what isn't kept
    numbers, _ = nnls(np.vstack([*rows, np.diag(pull)]), np.concatenate([goals, pull * guess]))
    found = np.round(numbers, 2)
    return (Arrays(*found[: len(kept)]) if free else KEPT[choice]), Arrays(*found[-len(once) :])


def sizes_of(cell: Cell) -> np.ndarray:
    """The bytes of the arrays of a cell's step."""
    return np.array(astuple(arrays(cell.trunk, topology(cell.topology), length_of(cell.trunk))))


def squeezed(cell: Cell, measured: Measured) -> bool:
    """Whether XLA computes parts of the step again for lack of room: what it says is then less than the arrays take."""
    return cell.layers == "loop" and cell.remat == "none" and measured.peak > 0.9 * measured.limit


def error(cell: Cell, measured: Measured, numbers: Numbers) -> float:
    """By which share the formula is above what the compiler says."""
    blocks, once = (np.array(astuple(weights)) for weights in numbers)
    sizes = sizes_of(cell)
    peak = given(cell.trunk, topology(cell.topology).devices) + sizes @ (cell.depth * blocks + once)
    return float(peak / measured.peak - 1)


def report(name: str, errors: list[float]) -> None:
    sizes = np.abs(errors)
    within = ", ".join(f"{(sizes <= share).sum()} within {share:.0%}" for share in (0.1, 0.15, 0.2, 0.3))
    print(f"# {name}: {len(errors)} cells, {within}; from {min(errors):+.0%} to {max(errors):+.0%}")


def judged(rows: Rows, others: Rows) -> list[float]:
    """The errors on cells of numbers that are fitted to others."""
    numbers = {choice: fitted(choice, others) for choice in KEPT}
    return [error(*row, numbers[row[0].layers, row[0].remat]) for row in rows if not squeezed(*row)]


def left_out(drawn: Rows) -> list[float]:
    """The errors on each fifth of the cells of numbers that are fitted to the other four."""
    parts = [drawn[part::FOLDS] for part in range(FOLDS)]
    return [error for part in parts for error in judged(part, [row for row in drawn if row not in part])]


def text(weights: Arrays) -> str:
    named = {field.name: float(getattr(weights, field.name)) for field in fields(weights)}
    return f"Arrays({', '.join(f'{name}={number:g}' for name, number in named.items() if number)})"


def main() -> None:
    state_size.WHOLE = 0  # the cells were compiled while the state of every model was divided
    drawn = [row for row in read() if row[0] not in PAPER]
    for place, name in enumerate(("BLOCKS", "ONCE")):
        print(f"{name}: dict[tuple[Layers, Remat], Arrays] = {{")
        for choice in KEPT:
            words = ", ".join(f'"{word}"' for word in choice)
            print(f"    ({words}): {text(fitted(choice, drawn)[place])},")
        print("}")
    report("drawn, fitted", judged(drawn, drawn))
    report("drawn, each fifth left out in turn", left_out(drawn))
    if paper := judged([row for row in read() if row[0] in PAPER], drawn):
        report("shapes of the paper, left out", paper)


if __name__ == "__main__":
    main()
