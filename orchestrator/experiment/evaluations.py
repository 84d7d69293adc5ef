"""Keys of experiments.yaml that say what is measured at the end of each run."""

from scalectl.orchestrator.experiment.images import Dataset
from scalectl.orchestrator.experiment.own import UpstreamMetric
from scalectl.orchestrator.experiment.rules import Section, key
from scalectl.orchestrator.experiment.values import Count, Decay, Name, Natural, Positive, Rate, Several, Steps
from scalectl.trainer.spec import Tuning


class Upstream(Section):
    """Evaluation on the held-out images."""

    metrics: Several[UpstreamMetric] = key(
        "What is measured on the held-out images; code may add more.", ("loss", "error")
    )


class Fewshot(Section):
    """Closed-form linear regression on frozen features."""

    datasets: Several[Name] = key("Datasets to take few images of: names of evals.datasets, or the study's own.")
    shots: Several[Count] = key("Training images a class.")
    seeds: Count = key("Draws of those images; the error is their mean.", 3)
    l2: Positive = key("Strength of the L2 penalty.", 1024.0)


class Finetune(Section):
    """Training all weights further on a dataset, as the paper does."""

    dataset: Name = key("Dataset to fine-tune on, and to measure the error on: of evals.datasets, or the study's own.")
    steps: Steps = key("Optimizer steps at each learning rate.")
    batch_size: Count = key("Images of one step.", 512)
    lrs: Several[Rate] = key("Peak learning rates; the best on 2 % of the training images is used.", (0.03, 0.01))
    warmup: Natural | None = key("Steps of linear warmup; a fortieth of all when left out.", None)
    schedule: Tuning = key("What follows warmup: half a cosine to zero, or nothing (flat).", "cosine")
    ema: Decay | None = key(
        "Decay of the running average of the weights that is evaluated; the last weights are when left out.", None
    )
    resolution: Count | None = key("Side of an image in pixels; that of the study's images when left out.", None)


class Evals(Section):
    """What is measured at the end of each run; later additions train nothing again."""

    upstream: Upstream = key("Evaluation on the held-out images.", Upstream())
    datasets: dict[Name, Dataset] = key("Images to evaluate on beside the study's own, by name.", {})
    fewshot: Fewshot | None = key("Linear evaluation from few images; none when left out.", None)
    finetune: Finetune | None = key("Training all weights further; none when left out.", None)
