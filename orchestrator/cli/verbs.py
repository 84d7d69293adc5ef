"""A group of verbs in sections: its help shows the first sentence of each, whole, under the heading of its section."""

import click


class Verbs(click.Group):
    """Verbs in the order in which they were added, each in a section; click alone would cut their help to one line."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self._sections: dict[str, list[str]] = {}

    def add(self, section: str, *verbs: click.Command) -> None:
        """Add verbs to a section, which is made when it is new."""
        for verb in verbs:
            self.add_command(verb)
            self._sections.setdefault(section, []).append(str(verb.name))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all verbs, section by section."""
        return [name for names in self._sections.values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a table of each section: its verbs, each with its purpose, which is never cut."""
        widest = max((len(name) for name in self.commands), default=0)
        for section, names in self._sections.items():
            with formatter.section(section):
                rows = [(name.ljust(widest), _purpose(self.commands[name])) for name in names]
                formatter.write_dl(rows, col_max=widest)


def _purpose(verb: click.Command) -> str:
    """The first paragraph of a verb's help, on one line."""
    text = verb.short_help or (verb.help or "").split("\n\n")[0]
    return " ".join(text.split())
