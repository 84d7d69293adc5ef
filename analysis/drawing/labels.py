"""Metrics as axes name them: in words, with the data set that they are measured on and their unit."""

import re

import pandas as pd

from scalectl.analysis.vocabulary import is_in_per_cent

_NAMES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet": "ImageNet", "mnist": "MNIST"}
_FORMS = (  # of our own metrics
    (r"upstream/error", "top-1 error on held-out {data}"),
    (r"upstream/precision@1", "top-1 accuracy on held-out {data}"),
    (r"upstream/loss", "loss on held-out {data} (nats)"),
    (r"fewshot/(?P<of>.+)/(?P<shots>\d+)shot/error", "{shots}-shot error on {of}"),
    (r"finetune/(?P<of>.+)/error", "error on {of}, fine-tuned"),
)


def metric_label(metric: str, data: str = "") -> str:
    """What `metric_words` says, for Matplotlib."""
    return literal(metric_words(metric, data))


def metric_words(metric: str, data: str = "") -> str:
    """A metric in words: "Top-1 error on held-out CIFAR-10 (%)"; `data` is the name of the study's data set.

    A metric of the user's is named as it is, but for the underscores of a plain word.
    """
    label = _words(metric, data)
    if share(metric) == 100:
        label += " (%)"
    return label


def data_name(points: pd.DataFrame) -> str:
    """The name of the data set that all of these runs share; empty where they don't, or don't tell."""
    kinds = _distinct(points, "source")
    names = _distinct(points, "data_name") or kinds
    if len(names) != 1 or not names.isdisjoint(kinds - {"digits", "synthetic", *_NAMES}):
        return ""
    return names.pop()


def _distinct(points: pd.DataFrame, column: str) -> set[str]:
    if column not in points:
        return set()
    return set(points[column].dropna().unique()) - {""}


def _words(metric: str, data: str) -> str:
    for form, words in _FORMS:
        if match := re.fullmatch(form, metric):
            names = match.groupdict()
            label = words.format(data=_proper(data) or "images", shots=names.get("shots"), of=_proper(names.get("of")))
            return label[0].upper() + label[1:]
    if re.fullmatch(r"\w+", metric):
        return re.sub(r"(\d+) ?shot", r"\1-shot", metric.replace("_", " "))
    return metric


def _proper(name: str | None) -> str:
    return _NAMES.get(name or "", name or "")


def share(metric: str) -> float:
    """The factor with which a metric is drawn: errors in per cent, others as they are."""
    if is_in_per_cent(metric):
        return 100.0
    return 1.0


def literal(text: str) -> str:
    """A text of the user's with dollars that are no mathematics to Matplotlib."""
    return text.replace("$", r"\$")
