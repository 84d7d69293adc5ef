"""The names of what lies in a bundle."""

LAYOUT = 1  # of bundles; raised when an older version can't read them any more
MANIFEST = "bundle.json"
YAML = "experiments.yaml"
STORE = "results.db"
PAGE = "report.html"
ENVIRONMENT = "environment.txt"
PLOTS = "plots"
CHECKPOINTS = "checkpoints"  # a folder, as the artifacts have it


def is_plain(name: str) -> bool:
    """Whether a file of this name can be on any machine, and lies in its folder."""
    return name not in ("", ".", "..") and name.isprintable() and "\\" not in name and ":" not in name
