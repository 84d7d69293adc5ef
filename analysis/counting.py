"""Numbers of things in words."""


def counted(number: float, noun: str) -> str:
    """A number of things: 1 run, 2 runs, 12,000 runs."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s"
