"""The figures: each a file, whose name is its command, whose first line its purpose, and whose FIGURE draws it."""
