"""The study's cells beside a plain script in Flax Linen and Optax: blocks of REPORT.md.

peer.parquet has the runs of peer.yaml; other_trainer.csv and same_start.csv are what the scripts of these names in
benchmarks/ wrote.
"""

import pandas as pd
from scipy import stats
from tables import ERROR, HERE, done, spread, table  # type: ignore[import-not-found]  # beside this script

TEST = 10_000  # images that peer.yaml and both scripts measure the error on


def other_trainer() -> str:
    """The errors and speeds of each cell by this study and by the plain script, and their numbers of seeds."""
    script = pd.read_csv(HERE / "other_trainer.csv")
    own = done("peer")
    rows, chances = [], []
    for (width, steps), theirs in script.groupby(["width", "steps"]):
        ours = own[(own["width"] == width) & (own["steps"] == steps)]
        chance = stats.ttest_ind(ours[ERROR], theirs["error"], equal_var=False).pvalue
        chances.append(chance)
        speeds = ours["images_per_second"].max(), theirs["images_per_second"].max()
        rows.append(
            (
                f"w{width}, {steps} steps",
                spread(ours[ERROR]),
                spread(theirs["error"]),
                f"{chance:.2f}",
                *(f"{speed:,.0f}" for speed in speeds),
                f"{speeds[0] / speeds[1]:.2f}",
            )
        )
    header = ("cell", "scalectl", "plain script", "p of the difference", "images/s", "plain script", "ratio")
    joint = stats.combine_pvalues(chances).pvalue
    tests = "Welch's t tests, combined by Fisher's method as if the runs of one seed shared no trunk"
    return f"{table(header, rows)}\n\nAll four together: p = {joint:.2f} ({tests})."


def same_start() -> str:
    """How far apart both are from equal weights on equal batches, with the parameters laid out alike and not."""
    runs = pd.read_csv(HERE / "same_start.csv")
    alike = runs[runs["layout"] == "matrices"]
    images = (TEST * (alike["script_error"] - alike["error"]).abs()).max()
    lines = [
        f"- **Laid out alike**, over {len(alike)} runs of up to {alike['steps'].max()} steps, the losses of a batch"
        f" are {alike['loss_apart'].max():.1g} apart at most, and the errors {images:.0f} of {TEST:,} images."
    ]
    apart = runs[runs["layout"] == "script"]
    for (model, steps), group in apart.groupby(["model", "steps"]):
        points = 100 * (group["script_error"] - group["error"])
        low, high = stats.t.interval(0.9, len(points) - 1, points.mean(), points.sem())
        lines.append(
            f"- **Laid out as in the script**, {model} at {steps} steps: its errors are {points.mean():+.2f} points"
            f" ({low:+.2f} to {high:+.2f}, {len(points)} seeds) from ours, the losses of a batch up to"
            f" {group['loss_apart'].max():.2g} apart."
        )
    return "\n".join(lines)
