"""What follows from the columns of other people's runs: images seen, and training compute."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scalectl.orchestrator.store.layout import Layout
from scalectl.orchestrator.store.meanings import are_tokens

WORK = 6.0  # training FLOPs for each parameter and token: a forward pass is 2, a backward pass 4
FORWARD = 3.0  # training FLOPs in those of a forward pass
_Value = Callable[[Mapping[str, Any]], float | None]


@dataclass(frozen=True)
class Derived:
    """A column of `points` that others give, and in words how."""

    column: str
    note: str
    value: _Value


def derived(layout: Layout) -> Iterator[Derived]:
    """Yield what the columns of a file give that it doesn't have, in the order in which it is worked out."""
    has = {name for name in _NEEDED if layout.place(name) is not None}
    if "images_seen" not in has and not layout.is_ours:
        if layout.epochs is not None and "data_size" in has:
            yield _images("epochs", "data_size", layout)
            has.add("images_seen")
        elif {"steps", "batch_size"} <= has and layout.epochs is None:
            yield _images("steps", "batch_size", layout)
            has.add("images_seen")
    if "flops" in has or "images_seen" not in has or layout.is_ours:
        return
    if "flops_per_image" in has:
        note = "No column of FLOPs: flops is 3 x flops_per_image x images_seen."
        yield Derived("flops", note, _product("flops_per_image", "images_seen", factor=FORWARD))
    elif "params" in has and _tells_tokens(layout):
        yield Derived(
            "flops",
            "No column of FLOPs: flops is 6 x params x tokens.",
            _product("params", "images_seen", factor=WORK),
        )


_NEEDED = ("images_seen", "data_size", "steps", "batch_size", "flops", "flops_per_image", "params")


def _images(length: str, each: str, layout: Layout) -> Derived:
    header = layout.headers[layout.epochs] if length == "epochs" and layout.epochs is not None else length
    return Derived(
        "images_seen", f"No column of images seen: images_seen is {header} x {each}.", _product(length, each)
    )


def _product(*names: str, factor: float = 1.0) -> _Value:
    def value(columns: Mapping[str, Any]) -> float | None:
        product = factor
        for name in names:
            if not columns.get(name):
                return None
            product *= columns[name]
        return product

    return value


def _tells_tokens(layout: Layout) -> bool:
    place = layout.place("images_seen")
    if place is None:
        return False
    header = layout.headers[place]
    return are_tokens(layout.wishes.columns.get(header, header))
