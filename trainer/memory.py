"""What a training step needs beside its arguments, by a formula: an estimate where no compiler can be asked."""

from scalectl.trainer.flops import params, tokens
from scalectl.trainer.spec import TrunkSpec

XLA = 2.4  # times the formula: 2.6 and 2.3 for Ti/16 and L/16, kept whole, as libtpu 0.0.42.1 compiled them for v5e:2x2


def temporaries(trunk: TrunkSpec, devices: int) -> float:
    """The bytes of temporaries on each of `devices`: about those of a scan; an unrolled loop needs less.

    An encoder block keeps 34 + 5 heads x tokens / width bytes of each number at 16 bits, and one that is computed
    again 2 (Korthikanti et al. 2022, arXiv 2205.05198, section 4). Gradients and gathered weights are whole: 6 bytes a
    parameter.
    """
    model, recipe, data = trunk.model, trunk.recipe, trunk.data
    length = tokens(model, data.image_size) + (recipe.head == "tok")
    numbers = (recipe.microbatch or recipe.batch_size) / devices * length * model.width
    whole = XLA * numbers * (34 + 5 * model.num_heads * length / model.width)
    kept = model.depth * whole if recipe.remat == "none" else model.depth * 2 * numbers + whole
    sizes = {"image_size": data.image_size, "channels": data.channels, "num_classes": data.num_classes}
    weights = 6 * params(model, head=recipe.head, positions=recipe.positions, **sizes)
    return kept * (1 if recipe.precision == "bfloat16" else 2) + weights
