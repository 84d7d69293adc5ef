"""The laws: each a file, whose name is the word for it, whose first line its formula, and whose LAW the law."""
