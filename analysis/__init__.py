"""results.db in; frontier, law, figures out."""

from analysis.read import read

__all__ = ["read"]
