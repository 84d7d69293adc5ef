"""The families of laws, as a table, and a law as a value: error as a function of compute.

Every family falls all the way, and has a `scale` and an `exponent`, so that a change of units acts on all in one way:
with C counted in a unit k times smaller, a parameter of dimension `compute` is k^compute times as large, and the scale
k^exponent times. Letters of shapes: B laws, N points.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_NEWTON = 25  # steps; the function solved for is convex or concave, and half of them do
_NEAR = 1e-13  # relative step that ends them
_HALVINGS = 80
_EQUAL = 1e-12  # relative distance at which an error is that of the floor
_FAR = 690.0  # exp(690) is about the largest number that there is


@dataclass(frozen=True)
class Parameter:
    """A parameter of a law: its name in the record, its letter, and its dimension in compute and error."""

    name: str
    letter: str
    compute: int = 0
    error: int = 0


SCALE = Parameter("scale", "a", error=1)
OFFSET = Parameter("offset", "d", compute=1)
EXPONENT = Parameter("exponent", "b")
FLOOR = Parameter("floor", "c", error=1)
BEND = Parameter("bend", "g", compute=-1)
CEILING = Parameter("ceiling", "e", error=1)
APPROACH = Parameter("approach", "h")
BREAK = Parameter("break", "d", compute=1)
LATE_EXPONENT = Parameter("late_exponent", "h")
SHARPNESS = Parameter("sharpness", "f")


@dataclass(frozen=True)
class Family:
    """A formula with its parameters; `error` and `shape` take them in their order, as arrays that broadcast.

    `shape` is the term that the scale multiplies.
    """

    name: str
    formula: str
    source: str
    parameters: tuple[Parameter, ...]
    shape: Callable[..., Floats]
    error: Callable[..., Floats]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def at(self, name: str) -> int:
        """Return the place of a parameter."""
        return self.names.index(name)

    def predictions(self, params_BP: Floats, compute: ArrayLike) -> Floats:
        """Return the error [..., B, N] of each law at each compute."""
        columns = (params_BP[..., column, None] for column in range(len(self.parameters)))
        return np.asarray(self.error(np.asarray(compute, float), *columns))

    def in_units(self, params_BP: Floats, compute: float, error: float) -> Floats:
        """Return the parameters when units of compute and error are that many times smaller."""
        powers = [compute**one.compute * error**one.error for one in self.parameters]
        params_BP = params_BP * np.array(powers)
        params_BP[:, self.at("scale")] *= compute ** params_BP[:, self.at("exponent")]
        return params_BP

    def law(self, unit: str, **values: float) -> "Law":
        """Return the law with these parameters, for compute in `unit`."""
        return Law(self, tuple(float(values[name]) for name in self.names), unit)


@dataclass(frozen=True)
class Law:
    """A member of a family, for compute in `unit`."""

    family: Family
    values: tuple[float, ...]
    unit: str

    def __call__(self, compute: ArrayLike) -> Floats:
        """Return the error at each compute."""
        return np.asarray(self.family.error(np.asarray(compute, float), *self.values))

    def params(self) -> dict[str, float]:
        """Return the parameters by name."""
        return dict(zip(self.family.names, self.values, strict=True))

    @property
    def floor(self) -> float:
        """Return what the error tends to at unlimited compute."""
        if "bend" in self.params():
            return self.params()["scale"] * self.params()["bend"] ** self.params()["exponent"]
        return self.params().get("floor", 0.0)

    def invert(self, error: ArrayLike) -> Floats:
        """Return the compute at which the law reaches each error: infinity at its floor, 0 above its start."""
        return inverted(self.family, np.array([self.values]), error)[0]

    def per(self, factor: float, unit: str) -> "Law":
        """Return the same law for compute counted in `unit`, of which `factor` are one of the present unit."""
        values_P = self.family.in_units(np.array([self.values]), factor, 1.0)[0]
        return replace(self, values=tuple(map(float, values_P)), unit=unit)

    def __str__(self) -> str:
        if not {"offset", "floor"} >= {*self.family.names} - {"scale", "exponent"}:
            values = ", ".join(
                f"{one.letter} = {value:.3g}" for one, value in zip(self.family.parameters, self.values, strict=True)
            )
            return f"{self.family.formula}, {values}, C in {self.unit}"
        params = self.params()
        shift = f"(C + {params['offset']:.3g})" if params.get("offset") else "C"
        floor = f" + {params['floor']:.3g}" if params.get("floor") else ""
        return f"E = {params['scale']:.3g} {shift}^-{params['exponent']:.3g}{floor}, C in {self.unit}"


def inverted(family: Family, params_BP: Floats, error: ArrayLike) -> Floats:
    """Return the compute [B, N] at which each law reaches each error: infinity if never, 0 if from the start."""
    target_BN = np.broadcast_to(np.asarray(error, float), (len(params_BP), *np.shape(np.atleast_1d(error))))
    low_BN, high_BN = np.full(target_BN.shape, -_FAR), np.full(target_BN.shape, _FAR)
    with np.errstate(over="ignore"):
        never_BN = family.predictions(params_BP, np.exp(high_BN)) >= target_BN * (1 - _EQUAL)
        always_BN = family.predictions(params_BP, np.exp(low_BN)) <= target_BN
        for _ in range(_HALVINGS):
            middle_BN = (low_BN + high_BN) / 2
            above_BN = family.predictions(params_BP, np.exp(middle_BN)) > target_BN
            low_BN, high_BN = np.where(above_BN, middle_BN, low_BN), np.where(above_BN, high_BN, middle_BN)
    found_BN = np.where(never_BN, np.inf, np.where(always_BN, 0.0, np.exp((low_BN + high_BN) / 2)))
    return found_BN.reshape(len(params_BP), *np.shape(error))


def _power(C: Floats, exponent: Floats) -> Floats:
    return np.exp(-exponent * np.log(C))


def _shifted(C: Floats, offset: Floats, exponent: Floats) -> Floats:
    return np.exp(-exponent * np.log(C + offset))


def _bent(C: Floats, exponent: Floats, bend: Floats) -> Floats:
    return np.exp(exponent * np.log(1 / C + bend))


def _broken(C: Floats, exponent: Floats, place: Floats, late: Floats, sharpness: Floats) -> Floats:
    turned = sharpness * np.logaddexp(0, np.log(C / place) / sharpness)
    return np.exp(-exponent * np.log(C) - (late - exponent) * turned)


def _sigmoidal(C: Floats, scale: Floats, exponent: Floats, floor: Floats, ceiling: Floats, approach: Floats) -> Floats:
    """Return the E between floor and ceiling that solves M4's equation.

    With E = c + (e - c) / (1 + exp(-u)), its logarithm is -s(-u) + h s(u) = target for the softplus s; Newton's method
    comes to its root from one side only when it starts on the flatter one.
    """
    height = ceiling - floor
    target = np.log(scale) - exponent * np.log(C) - np.log(height) + approach * np.log(height / ceiling)
    u = np.where(approach < 1, np.minimum(target, target / approach), np.maximum(target, target / approach))
    for _ in range(_NEWTON):
        low, high = np.logaddexp(0, -u), np.logaddexp(0, u)
        step = (approach * high - low - target) / (np.exp(-high) + approach * np.exp(-low))
        u = u - step
        if np.all(np.abs(step) <= _NEAR * (1 + np.abs(u))):
            break
    return floor + height * np.exp(-np.logaddexp(0, -u))


POWER = Family(
    "power law",
    "E = a C^-b",
    "M1 of arXiv 2209.06640",
    (SCALE, EXPONENT),
    shape=_power,
    error=lambda C, scale, exponent: scale * _power(C, exponent),
)
SATURATING = Family(
    "saturating",
    "E = a C^-b + c",
    "M2 of arXiv 2209.06640",
    (SCALE, EXPONENT, FLOOR),
    shape=lambda C, exponent, floor: _power(C, exponent),
    error=lambda C, scale, exponent, floor: scale * _power(C, exponent) + floor,
)
DOUBLY_SATURATING = Family(
    "doubly saturating",
    "E = a (C + d)^-b + c",
    "arXiv 2106.04560, section 2",
    (SCALE, OFFSET, EXPONENT, FLOOR),
    shape=lambda C, offset, exponent, floor: _shifted(C, offset, exponent),
    error=lambda C, scale, offset, exponent, floor: scale * _shifted(C, offset, exponent) + floor,
)
M3 = Family(
    "M3",
    "E = a (1/C + g)^b",
    "M3 of arXiv 2209.06640",
    (SCALE, EXPONENT, BEND),
    shape=_bent,
    error=lambda C, scale, exponent, bend: scale * _bent(C, exponent, bend),
)
M4 = Family(
    "M4",
    "E - c = a C^-b (1 - E/e)^h",
    "M4 of arXiv 2209.06640, whose beta is a e^-h",
    (SCALE, EXPONENT, FLOOR, CEILING, APPROACH),
    shape=lambda C, exponent, floor, ceiling, approach: _power(C, exponent),
    error=_sigmoidal,
)
BNSL = Family(
    "BNSL",
    "E = a C^-b (1 + (C/d)^(1/f))^(f (b - h)) + c",
    "arXiv 2210.14891, one break, whose c0 is b and c1 is h - b",
    (SCALE, EXPONENT, BREAK, LATE_EXPONENT, SHARPNESS, FLOOR),
    shape=lambda C, exponent, place, late, sharpness, floor: _broken(C, exponent, place, late, sharpness),
    error=lambda C, scale, exponent, place, late, sharpness, floor: (
        scale * _broken(C, exponent, place, late, sharpness) + floor
    ),
)
FAMILIES = {
    "power": POWER,
    "saturating": SATURATING,
    "doubly-saturating": DOUBLY_SATURATING,
    "m1": POWER,
    "m2": SATURATING,
    "m3": M3,
    "m4": M4,
    "bnsl": BNSL,
}  # by the word for --law
NESTED = (POWER, SATURATING, DOUBLY_SATURATING)  # each holds the one before
