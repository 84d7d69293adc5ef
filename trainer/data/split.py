"""The held-out split of a source, and its nested training subsets."""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from scalectl.trainer.data import squares
from scalectl.trainer.data.decoding import decoding
from scalectl.trainer.data.images import Encoded, Images, Lazy
from scalectl.trainer.data.labels import Labels, Several
from scalectl.trainer.data.own_source import Arrays
from scalectl.trainer.data.registry import Generated, InMemory, Part, Source, source
from scalectl.trainer.rng import Purpose, permutation, units, words
from scalectl.trainer.spec import DataSpec

UNCOMPARED = tuple(declared.name for declared in fields(DataSpec) if not declared.compare and declared.name != "name")


@dataclass(frozen=True)
class Split:
    """A source cut in two: `held_out` is for evaluation, and `pool` is what subsets and few shots are taken from."""

    pool: Images | Lazy
    held_out: Images | Lazy


def split(spec: DataSpec) -> Split:
    """The source of a spec with its held-out images set apart; the same for subsets of all sizes. Raises Unreadable."""
    whole = replace(spec, size=0, shift=0, crop=False, flip=False, cache=0, cached=0)
    return _split(whole, source(spec.source), tuple(getattr(whole, name) for name in UNCOMPARED))


def load(spec: DataSpec) -> Images | Lazy:
    """The training subset of a spec, which lies inside every larger one and meets no held-out image."""
    return squares.cached(spec, split(spec).pool).first(spec.size)


@lru_cache(maxsize=4)
def _split(spec: DataSpec, kind: Source, uncompared: tuple[Any, ...]) -> Split:
    """The split of a spec; equal ones may differ in where their files lie and in what is opened of them."""
    if isinstance(kind, InMemory):
        return _in_memory(spec, kind)
    if isinstance(kind, Generated):
        return _generated(spec, kind)
    return _in_files(spec)


def _in_memory(spec: DataSpec, kind: InMemory) -> Split:
    pixels, labels = kind.load()
    order = ordered(np.asarray(labels), spec.subset_seed, stratified=spec.stratified)
    if pixels.dtype == np.uint8:
        lazy = Arrays(kind.load, (pixels, labels))
        return Split(Lazy(lazy, order[spec.held_out :]), Lazy(lazy, order[: spec.held_out]))
    images = Images(pixels, np.asarray(labels, np.int32))
    return Split(images.take(order[spec.held_out :]), images.take(order[: spec.held_out]))


def _generated(spec: DataSpec, kind: Generated) -> Split:
    """The first images as the held-out ones: each is drawn by itself, so any order is as good as another."""
    images = kind.generator(spec)
    return Split(Lazy(images, range(spec.held_out, kind.facts.num_images)), Lazy(images, range(spec.held_out)))


def parts(spec: DataSpec) -> tuple[Part, Part]:
    """The files to train on and those to evaluate on, the same where there is no test split; raises Unreadable."""
    part = Part(spec.source, spec.path, spec.selection)
    if not spec.test_content:
        return part, part
    return part, part.test(spec.test_path, spec.test_selection)


def _in_files(spec: DataSpec) -> Split:
    """Pictures in files; those held out are of the test split where there is one."""
    part, test_part = parts(spec)
    images = Encoded(part, spec.content, spec.num_classes, spec.image_size, spec.resize, decoding(spec))
    order = _order(images, spec)
    if not spec.test_content:
        return Split(Lazy(images, order[spec.held_out :]), Lazy(images, order[: spec.held_out]))
    test = replace(images, part=test_part, content=spec.test_content)
    return Split(Lazy(images, order), Lazy(test, _order(test, spec)[: spec.held_out]))


def _order(images: Encoded, spec: DataSpec) -> np.ndarray:
    return ordered(images.all_labels(), spec.subset_seed, stratified=spec.stratified)


def ordered(labels: Labels, seed: int, *, stratified: bool) -> np.ndarray:
    """A permutation of images drawn from `seed`, of which held-out images and subsets are stretches.

    Stratified, every class is spread evenly over it, so that each stretch has its share of each class; which class
    comes first is drawn too, so that one with few images is not always late. It stays one permutation: subsets nest.
    Images with several labels are of no one class, and never stratified.
    """
    order = permutation(seed, Purpose.SPLIT, 0, len(labels))
    if not stratified or isinstance(labels, Several):
        return order
    classes, of_class, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    ranks = np.empty(len(order))
    by_class = np.argsort(of_class, kind="stable")
    ranks[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = units(words(seed, Purpose.STRATUM, 0, len(classes)))
    return order[np.argsort((ranks + offsets[of_class]) / counts[of_class], kind="stable")]
