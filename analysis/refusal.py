"""The answer to a question that the data can't carry."""


class Refused(ValueError):  # noqa: N818 - an answer, not an error
    """No law, and why: what was found, what is needed, and the remedy."""
