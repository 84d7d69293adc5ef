"""The numbers of the formula in trainer/memory.py, fitted to the cells of preflight_cells.csv.

Least squares on relative errors, with no number below zero, drawn towards the arrays that a block is known to keep:
few cells can't tell arrays of similar sizes apart.
"""

from dataclasses import astuple, fields

import numpy as np
from preflight_cells import Cell, Measured, read
from scipy.optimize import nnls

from scalectl.trainer import state_size
from scalectl.trainer.memory import Arrays, arrays, given, length_of
from scalectl.trainer.topology import topology

state_size.WHOLE = 0  # the cells were compiled while the state of every model was divided
PULL = 0.05  # relative error that a number as far from its first guess as that guess is large counts for
BLOCK = {  # arrays of each kind that a block keeps: for a loop what its backward pass reads, and all of it for a scan
    ("loop", "none"): Arrays(0, 0, 0, 0, 2, 2, 1, 2.5),
    ("scan", "none"): Arrays(0, 0, 0, 0, 7, 6, 4, 6.5),
    ("loop", "full"): Arrays(0, 0, 0, 0, 1, 0, 0, 0),
    ("scan", "full"): Arrays(0, 0, 0, 0, 1, 0, 0, 0),
}
ONCE = {
    ("loop", "none"): Arrays(1, 1, 0.5, 2, 0, 1, 0, 0, 1),
    ("scan", "none"): Arrays(1, 1, 0.5, 2, 0, 2, 0, 0, 1.5),
    ("loop", "full"): Arrays(1, 1, 1, 2, 3, 3, 1.5, 3, 1),
    ("scan", "full"): Arrays(1, 1, 1, 2, 5, 4, 3, 4, 1),
}


def fitted(choice: tuple[str, str], cells: list[tuple[Cell, Measured]]) -> tuple[Arrays, Arrays]:
    """The arrays of each block, and those that are there once, of steps with these layers and this remat."""
    least = np.array(astuple(BLOCK[choice])) * (choice[1] == "full")  # what is computed again starts from the stream
    rows, goals = [], []
    for cell, measured in cells:
        if (cell.layers, cell.remat) != choice or squeezed(cell, measured):
            continue
        devices = topology(cell.topology).devices
        sizes = np.array(astuple(arrays(cell.trunk, devices, length_of(cell.trunk))))
        known = given(cell.trunk, devices) + cell.depth * sizes @ least
        rows.append(np.concatenate([cell.depth * sizes, sizes]) / measured.peak)
        goals.append(1 - known / measured.peak)
    guess = np.concatenate([np.array(astuple(BLOCK[choice])) - least, astuple(ONCE[choice])])
    pull = PULL / np.maximum(guess, 0.25)
    pull[guess == 0] = 10.0  # what isn't kept
    numbers, _ = nnls(np.vstack([*rows, np.diag(pull)]), np.concatenate([goals, pull * guess]))
    blocks, once = np.split(numbers, 2)
    return Arrays(*(blocks + least)), Arrays(*once)


def squeezed(cell: Cell, measured: Measured) -> bool:
    """Whether XLA computes parts of the step again for lack of room: what it says is then less than the arrays take."""
    return cell.layers == "loop" and cell.remat == "none" and measured.peak > 0.9 * measured.limit


def text(weights: Arrays) -> str:
    named = {field.name: round(float(getattr(weights, field.name)), 2) for field in fields(weights)}
    return f"Arrays({', '.join(str(number) for number in named.values())})"


def main() -> None:
    cells = read()
    for place, name in enumerate(("BLOCKS", "ONCE")):
        print(f"{name}: dict[tuple[Layers, Remat], Arrays] = {{")
        for choice in BLOCK:
            words = ", ".join(f'"{word}"' for word in choice)
            print(f"    ({words}): {text(fitted(choice, cells)[place])},")
        print("}")


if __name__ == "__main__":
    main()
