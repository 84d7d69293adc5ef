"""The shapes of ViTs in Table 2 of arXiv 2106.04560."""

from scalectl.trainer.spec import ModelSpec

# name: width, depth, mlp_dim, num_heads, as printed in Table 2 of arXiv 2106.04560
_TABLE_2: dict[str, tuple[int, int, int, int]] = {
    "s": (256, 6, 1024, 8),
    "Ti": (192, 12, 768, 3),
    "S": (384, 12, 1536, 6),
    "B": (768, 12, 3072, 12),
    "L": (1024, 24, 4096, 16),
    "g": (1408, 40, 6144, 16),
    "G": (1664, 48, 8192, 16),
}
PRESETS = tuple(_TABLE_2)

# preset and patch size of each row of that table, from top to bottom
SIZES = (
    ("s", 28),
    ("s", 16),
    ("S", 32),
    ("Ti", 16),
    ("B", 32),
    ("S", 16),
    ("B", 28),
    ("B", 16),
    ("L", 16),
    ("g", 14),
    ("G", 14),
)


def preset(name: str, patch_size: int) -> ModelSpec:
    """The shape that Table 2 prints under `name`; raises KeyError for a name that it lacks."""
    return ModelSpec(*_TABLE_2[name], patch_size=patch_size)
