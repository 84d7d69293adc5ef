"""What a study reads, source by source: images, classes, sizes of pictures, and what is left out or damaged."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from scalectl.orchestrator.experiment.evaluations import Evals
from scalectl.orchestrator.experiment.images import Data
from scalectl.orchestrator.experiment.specs import as_data, held_out, known, test_part, test_path, train_part
from scalectl.orchestrator.format import few, from_here
from scalectl.trainer.data.copies import equal_pictures
from scalectl.trainer.data.registry import Files, Part, source
from scalectl.trainer.data.storage import remote
from scalectl.trainer.data.survey import Survey, survey

COUNTED = 2**21  # images, and classes, of which labels are counted at planning, where that doesn't need their pictures
NAMED = 8  # classes that are named in a line


@dataclass(frozen=True)
class SourceReport:
    """What planning knows of the images of one source, or of its test split."""

    use: str  # training, test, or the name that evals.datasets gives
    source: str  # as it was typed
    path: str
    images: int | None  # None: as many as are needed
    held_out: int  # of these
    image_size: int  # of squares that models see
    num_classes: int
    class_names: tuple[str, ...]
    class_counts: dict[int, int] | None  # images by label; None where counting would mean to read the images
    left_out: tuple[tuple[str, int], ...]
    survey: Survey | None  # None where there are no pictures in files
    copies: str = ""  # why equal pictures weren't counted; empty where they were

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """The names, or numbers, of the classes without an image."""
        if self.class_counts is None:
            return ()
        return tuple(self.class_name(label) for label in range(self.num_classes) if not self.class_counts.get(label))

    def class_name(self, label: int) -> str:
        """The name of a class, or its number where the files have no names."""
        if label < len(self.class_names):
            return self.class_names[label]
        return str(label)

    def lines(self) -> Iterator[str]:
        """Yield the report for people, its first line without an indent."""
        number = "images without end"
        if self.images is not None:
            number = _counted(self.images, "image", "images")
        words = [f"{self.use}: {self.source}", number]
        if self.held_out:
            words.append(f"{self.held_out:,} held out")
        words.append(_counted(self.num_classes, "class", "classes") + _named(self))
        if self.survey is None:
            words.append(f"{self.image_size} x {self.image_size} pixels")
        yield " · ".join(words)
        if self.survey is not None and self.survey.sizes:
            yield f"  pictures: {'; '.join(_pictures(self.survey, self.images or 0))}"
        if self.left_out:
            yield "  left out: " + ", ".join(f"{kind} ({count:,})" for kind, count in self.left_out)
        if self.copies:
            yield f"  equal pictures: not counted, {self.copies}"
        if self.empty_classes:
            yield f"  no images of: {listed(self.empty_classes)}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object; docs/results.md lists its keys."""
        document: dict[str, Any] = {
            "use": self.use,
            "source": self.source,
            "path": self.path,
            "images": self.images,
            "held_out": self.held_out,
            "image_size": self.image_size,
            "num_classes": self.num_classes,
            "class_names": list(self.class_names),
            "class_counts": None,
            "empty_classes": list(self.empty_classes),
            "left_out": [{"kind": kind, "files": count} for kind, count in self.left_out],
            "pictures": None,
            "copies": self.copies,
        }
        if self.class_counts is not None:
            document["class_counts"] = [self.class_counts.get(label, 0) for label in range(self.num_classes)]
        if self.survey is not None and self.survey.sizes:
            document["pictures"] = {
                "looked_at": self.survey.looked_at,
                "smallest": list(self.survey.smallest_size),
                "largest": list(self.survey.largest_size),
                "most_frequent": list(self.survey.sizes[0][0]),
                "turned": self.survey.turned,
                "transparent": self.survey.transparent,
                "deep_grey": self.survey.deep,
            }
        return document


def _counted(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _named(report: SourceReport) -> str:
    if not report.class_names:
        return ""
    return f": {listed(report.class_names)}"


def listed(names: tuple[str, ...]) -> str:
    """The first few of some names, and how many there are besides."""
    return few(names, NAMED)


def _pictures(seen: Survey, images: int) -> Iterator[str]:
    """Yield what the headers of pictures say, in words."""
    (width, height), count = seen.sizes[0]
    if len(seen.sizes) == 1:
        yield f"{width} x {height} pixels"
    else:
        smallest, largest = ("{} x {}".format(*size) for size in (seen.smallest_size, seen.largest_size))
        words = f"{smallest} to {largest} pixels"
        if count > 1:
            words += f", most often {width} x {height}"
        yield words
    kinds = {"turned by EXIF": seen.turned, "transparent": seen.transparent, "grey of more than 8 bits": seen.deep}
    yield from (f"{count:,} {kind}" for kind, count in kinds.items() if count)
    if seen.looked_at < images:
        yield f"{seen.looked_at:,} of {images:,} looked at"
    else:
        yield "all looked at"


def reports(data: Data, evals: Evals) -> tuple[SourceReport, ...]:
    """The reports of a study's own images, of its test split and of the datasets of its evaluations.

    Raises Unreadable.
    """
    side = known(data).image_size
    several = list(_of_section("training", data))
    for name, dataset in evals.datasets.items():
        several += _of_section(name, as_data(dataset, side))
    return tuple(several)


def _of_section(use: str, data: Data) -> Iterator[SourceReport]:
    apart = test_path(data) if data.source.path else ""
    report = _report(use, data, train_part(data), 0 if apart else held_out(data))
    yield replace(report, copies=_not_compared(data, train_part(data), test_part(data) if apart else train_part(data)))
    if apart:
        yield _report("test" if use == "training" else f"{use}, test", data, test_part(data), held_out(data))


def _not_compared(data: Data, train: Part, test: Part) -> str:
    """Why planning didn't count equal pictures, and whether a job will; empty where it did."""
    if not train.path or equal_pictures(train, test) is not None:
        return ""
    if isinstance(kind := source(data.source.kind), Files) and kind.reads_all:
        return "the files are large: the first job counts them"
    return "the files are large, and no job reads all of them"


def _report(use: str, data: Data, part: Part, kept: int) -> SourceReport:
    facts, path = known(data), part.path
    typed = str(data.source)
    if path != data.source.path:
        typed = f"{data.source.kind}:{from_here(path)}"
    if not path:
        images = None if facts.endless else facts.num_images
        return SourceReport(use, typed, "", images, kept, facts.image_size, facts.num_classes, (), None, (), None)
    contents = part.contents()
    if contents.split:
        typed += f" ({contents.split})"
    return SourceReport(
        use=use,
        source=typed,
        path=path,
        images=contents.num_images,
        held_out=kept,
        image_size=facts.image_size,
        num_classes=facts.num_classes,
        class_names=contents.classes,
        class_counts=class_counts(part, facts.num_classes),
        left_out=contents.left_out,
        survey=survey(part),
    )


def class_counts(part: Part, num_classes: int) -> Counter[int] | None:
    """The number of images by label, where counting is cheap; raises Unreadable."""
    if remote(part.path) or max(part.contents().num_images, num_classes) > COUNTED:
        return None
    return part.class_counts()
