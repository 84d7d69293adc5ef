"""The figures by name."""
