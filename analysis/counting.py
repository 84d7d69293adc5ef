"""Numbers of things in words."""

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def count(value: float) -> str:
    """A count with three digits and a suffix: 950, 12.9 k, 1.05 B; from a thousand T on with a power of ten."""
    if abs(value) >= 0.9995e15:
        return f"{value:.3g}"
    for size, suffix in _SUFFIXES:
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g} {suffix}"
    return f"{value:.3g}"


def counted(number: float, noun: str) -> str:
    """A number of things: 1 run, 2 runs, 12,000 runs."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s"
