"""The page of every command with its options, docs/cli.md; `python docs/cli.py` writes it anew."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

PAGE = Path(__file__).with_suffix(".md")
HEAD = """\
# Commands

<!-- Written by `python docs/cli.py` from the commands themselves: change them, not this page. -->

`scalectl --help` lists the commands, `scalectl COMMAND --help` shows one. Every command ends with an
[exit code](failures.md#exit-codes). Every command takes `--help`, and `scalectl help COMMAND` shows the same.

`-q` has commands that write or change something say nothing but warnings and errors, and `preflight` nothing but its
answer. Commands that answer print that alone. `launch` has `-v`, `--log-file` and `--log-level` as well: no other
command has more to tell than what it prints. Commands that read answer in [rows](results.md#rows) for other programs.

A shell completes commands, options, and the names of runs, studies and metrics in the store, once its
start-up file has this line:

| shell | file | line |
|---|---|---|
| bash | `~/.bashrc` | `eval "$(_SCALECTL_COMPLETE=bash_source scalectl)"` |
| zsh | `~/.zshrc` | `eval "$(_SCALECTL_COMPLETE=zsh_source scalectl)"` |
| fish | `~/.config/fish/completions/scalectl.fish` | `_SCALECTL_COMPLETE=fish_source scalectl \\| source` |

In zsh, `autoload -Uz compinit; compinit` has to stand above that line, as most start-up files have it.
"""


def program() -> click.Group:
    """The command line that the installed `scalectl` starts."""
    from scalectl.orchestrator.cli.main import scalectl

    return scalectl


def contexts(context: click.Context) -> Iterator[click.Context]:
    """A command's context, then those of the commands below it."""
    yield context
    if isinstance(context.command, click.Group):
        for name, command in sorted(context.command.commands.items()):
            if not command.hidden:
                yield from contexts(click.Context(command, parent=context, info_name=name))


def every_command() -> list[click.Context]:
    """The contexts of all commands, the program itself first, in alphabetical order."""
    return list(contexts(click.Context(program(), info_name="scalectl", show_default=True)))


def escaped(text: str) -> str:
    """A text that stays in its cell of a table in Markdown."""
    return text.replace("|", "\\|")


def row(parameter: click.Parameter, context: click.Context) -> str:
    """The line of an option or an argument in a command's table."""
    if isinstance(parameter, click.Option):
        names, meaning = parameter.get_help_record(context) or ("", "")
    else:
        names, meaning = parameter.make_metavar(context), "[required]"
        if parameter.nargs == -1:
            meaning = "[none, one or several]"
        elif not parameter.required:
            meaning = "[optional]"
            if isinstance(parameter.default, str):  # else click has a mark of its own for none
                meaning = f"[default: {parameter.default}]"
    return f"| `{escaped(names)}` | {escaped(meaning)} |"


def shown(parameter: click.Parameter) -> bool:
    """Whether the page lists a parameter: not a former spelling, nor the --help that all commands have."""
    return "--help" not in parameter.opts and not getattr(parameter, "hidden", False)


def section(context: click.Context) -> str:
    """A command's heading, help, usage and table."""
    command = context.command
    level = "#" * (context.command_path.count(" ") + 2)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"{level} {context.command_path}", "", inspect.cleandoc(command.help or ""), "", f"    {usage}"]
    parameters = [parameter for parameter in command.get_params(context) if shown(parameter)]
    if parameters:
        rows = [row(parameter, context) for parameter in parameters]
        lines += ["", "| option or argument | meaning |", "|---|---|", *rows]
    return "\n".join(lines)


def page() -> str:
    """The whole page in Markdown."""
    return "\n\n".join([HEAD.strip(), *map(section, every_command())]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
