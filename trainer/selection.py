"""What is read of the files at a path: a split, and columns of pictures and labels; standard library only."""

from dataclasses import dataclass
from typing import Literal

Purpose = Literal["train", "test"]


@dataclass(frozen=True)
class Selection:
    """The part of a source's files that is read; names that are empty are found in the files."""

    purpose: Purpose = "train"  # which split is read where the files are of several
    image: str = ""  # column, feature or ending of the pictures
    label: str = ""  # the same of the labels
    classes: tuple[str, ...] = ()  # of the training split: they number labels that are words
    labels: str = ""  # file with the labels of the pictures of a flat folder
