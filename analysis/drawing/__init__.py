"""How runs, laws and numbers are drawn: panels on given axes, style, legends, sheets of a fixed size."""
