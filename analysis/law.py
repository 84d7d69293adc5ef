"""What a law is made of, a law as a value, and the laws by name: error as a function of compute.

Every law falls all the way, and its first parameter is the scale of a term. A change of units acts on all laws in one
way: with C counted in a unit k times smaller, a parameter of dimension `compute` is k^compute times as large, and the
scale k^exponent times where the law has the exponent of a power. Letters of shapes: B laws, N points, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalectl.analysis.checks import Refused
from scalectl.analysis.vocabulary import LAWS

Floats = NDArray[np.float64]

LADDER = ("power", "saturating", "shifted", "doubly-saturating")  # the last holds all others
_LUCK = 3.0  # a floor is at most this many times the best point, which may be better than the law by luck
_HALVINGS = 80
_EQUAL = 1e-12  # relative distance at which an error is that of the floor
_FAR = 690.0  # exp(690) is about the largest number that there is


@dataclass(frozen=True)
class Span:
    """What bounds and starts of parameters depend on, with compute and error about 1."""

    least: float  # compute of the frontier's first point
    most: float  # compute of its last point
    best: Floats  # error [B]
    worst: Floats


@dataclass(frozen=True)
class Scale:
    """The coordinate in which a parameter is solved for, and whether the parameter may be 0."""

    coordinate: Callable[[ArrayLike], Any]
    value: Callable[[ArrayLike], Any]
    zero: bool

    def spaced(self, low: float, high: float, number: int) -> Floats:
        """Coordinates from one value to another, equally far apart."""
        return np.linspace(self.coordinate(low), self.coordinate(high), number)


LOG = Scale(np.log, np.exp, zero=False)
ASINH = Scale(np.arcsinh, np.sinh, zero=True)  # of what may be 0 and ranges over decades
LINEAR = Scale(np.asarray, np.asarray, zero=True)
LEVEL = Scale(np.asarray, np.asarray, zero=False)  # log of the scaled term at compute 1


@dataclass(frozen=True)
class Parameter:
    """A parameter of laws: its name in the record, its letter, its dimension in compute and error, and where it lies.

    `bounds` are its ends and `starts` the coordinates from which it is solved for, both counted in its `unit`, which
    depends on the compute of the frontier's first and last point.
    """

    name: str
    letter: str
    compute: int = 0
    error: int = 0
    scale: Scale = LOG
    bounds: Callable[[Span], tuple[Any, Any]] = lambda span: (1e-3, 1e3)
    starts: Callable[[Span], Any] = lambda span: LOG.coordinate((0.1, 1.0, 10.0))
    unit: Callable[[float, float], float] = lambda least, most: 1.0

    def coordinates(self, span: Span) -> tuple[Any, Any]:
        """The least and largest coordinate."""
        low, high = self.bounds(span)
        return self.scale.coordinate(low), self.scale.coordinate(high)


SCALE = Parameter("scale", "a", error=1, scale=LEVEL, bounds=lambda span: (-50.0, 50.0), starts=lambda span: (0.0,))
EXPONENT = Parameter(
    "exponent",
    "b",
    bounds=lambda span: (0.01, 5.0),
    starts=lambda span: LOG.coordinate((0.1, 0.2, 0.35, 0.6, 1.0, 2.0)),
)
FLOOR = Parameter(
    "floor",
    "c",
    error=1,
    scale=LINEAR,
    bounds=lambda span: (0.0, np.minimum(_LUCK * span.best, span.worst)),
    starts=lambda span: span.best / 2,
)


@dataclass(frozen=True, eq=False)
class Family:
    """A formula with its parameters; `error`, `shape` and `limit` take them in their order, as arrays that broadcast.

    `shape` is the term that the scale multiplies, `limit` the error at unlimited compute: the floor unless it is given.
    """

    name: str
    formula: str
    source: str
    parameters: tuple[Parameter, ...]
    shape: Callable[..., Floats]
    error: Callable[..., Floats]
    limit: Callable[..., float] | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def predictions(self, params_BP: Floats, compute: ArrayLike) -> Floats:
        """The error [..., B, N] of each law at each compute."""
        columns = (params_BP[..., column, None] for column in range(len(self.parameters)))
        return np.asarray(self.error(np.asarray(compute, float), *columns))

    def in_units(self, params_BP: Floats, compute: float, error: float) -> Floats:
        """The parameters when units of compute and error are that many times smaller."""
        powers = [compute**parameter.compute * error**parameter.error for parameter in self.parameters]
        params_BP = params_BP * np.array(powers)
        if EXPONENT in self.parameters:
            params_BP[:, 0] *= compute ** params_BP[:, self.parameters.index(EXPONENT)]
        return params_BP

    def law(self, unit: str, **values: float) -> "Law":
        """The law with these parameters, for compute in `unit`."""
        return Law(self, tuple(float(values[name]) for name in self.names), unit)


@dataclass(frozen=True)
class Law:
    """A member of a family, for compute in `unit`."""

    family: Family
    values: tuple[float, ...]
    unit: str

    def __call__(self, compute: ArrayLike) -> Floats:
        """The error at each compute."""
        return np.asarray(self.family.error(np.asarray(compute, float), *self.values))

    def params(self) -> dict[str, float]:
        """The parameters by name."""
        return dict(zip(self.family.names, self.values, strict=True))

    @property
    def floor(self) -> float:
        """The error at unlimited compute."""
        if self.family.limit:
            return float(self.family.limit(*self.values))
        return self.params().get(FLOOR.name, 0.0)

    def invert(self, error: ArrayLike) -> Floats:
        """The compute at which the law reaches each error: infinity at its floor, 0 above its start."""
        return inverted(self, error)

    def per(self, factor: float, unit: str) -> "Law":
        """The same law for compute counted in `unit`, of which `factor` are one of the present unit."""
        values_P = self.family.in_units(np.array([self.values]), factor, 1.0)[0]
        return replace(self, values=tuple(map(float, values_P)), unit=unit)

    def __str__(self) -> str:
        params = self.params()
        if not {"scale", "exponent", "offset", "floor"} >= {*params}:
            letters = (parameter.letter for parameter in self.family.parameters)
            values = ", ".join(f"{letter} = {value:.3g}" for letter, value in zip(letters, self.values, strict=True))
            return f"{self.family.formula}, {values}, C in {self.unit}"
        shift, floor = "C", ""
        if params.get("offset"):
            shift = f"(C + {params['offset']:.3g})"
        if params.get("floor"):
            floor = f" + {params['floor']:.3g}"
        return f"E = {params['scale']:.3g} {shift}^-{params['exponent']:.3g}{floor}, C in {self.unit}"


def family(name: str) -> Family:
    """The law of that name; raises Refused, which lists all names."""
    try:
        named: Family = LAWS[name]
    except KeyError as unknown:
        raise Refused(unknown.args[0]) from None
    return named


def power(C: Floats, exponent: Floats) -> Floats:
    """C^-exponent, the term of several laws."""
    return np.exp(-exponent * np.log(C))


def inverted(curve: Callable[[Floats], Floats], error: ArrayLike) -> Floats:
    """The compute at which a falling curve comes down to each error: infinity if never, 0 if from the start."""
    target = np.asarray(error, float)
    low, high = np.full(target.shape, -_FAR), np.full(target.shape, _FAR)
    with np.errstate(over="ignore"):
        never = curve(np.exp(high)) >= target * (1 - _EQUAL)
        always = curve(np.exp(low)) <= target
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            above = curve(np.exp(middle)) > target
            low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(never, np.inf, np.where(always, 0.0, np.exp((low + high) / 2)))[()]  # a number of a number
