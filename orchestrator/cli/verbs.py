"""A group of verbs in sections: its help shows the first sentence of each, whole, under the heading of its section."""

from typing import Any

import click

STORE = "scalectl.store"  # in the context of a verb: the path that its option --store gave


class Verbs(click.Group):
    """Verbs in the order in which they were added, each in a section; click alone would cut their help to one line."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self._sections: dict[str, list[click.Command]] = {}

    def add(self, section: str, *verbs: click.Command) -> None:
        """Add verbs to a section, which is made when it is new."""
        for verb in verbs:
            self.add_command(verb)
            self._sections.setdefault(section, []).append(verb)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; where its store holds values that no store has, that is the reason of the errors they lead to."""
        try:
            return super().invoke(ctx)
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
            store = ctx.meta.get(STORE)
            if store is not None and store.exists():
                from scalectl.orchestrator.store.database import check

                check(store)
            raise

    def sections(self, ctx: click.Context) -> dict[str, list[click.Command]]:
        """The verbs of each section that are shown, by its heading."""
        return {name: [verb for verb in verbs if not verb.hidden] for name, verbs in self._sections.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all verbs, section by section."""
        return [str(verb.name) for verbs in self.sections(ctx).values() for verb in verbs]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a table of each section: its verbs, each with its purpose, which is never cut."""
        widest = max(map(len, self.list_commands(ctx)), default=0)
        for section, verbs in self.sections(ctx).items():
            with formatter.section(section):
                rows = [(str(verb.name).ljust(widest), _purpose(verb)) for verb in verbs]
                formatter.write_dl(rows, col_max=widest)


def _purpose(verb: click.Command) -> str:
    """The first paragraph of a verb's help, on one line."""
    text = verb.short_help or (verb.help or "").split("\n\n")[0]
    return " ".join(text.split())
