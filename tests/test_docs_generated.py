"""docs/cli.md is what its generator writes from the commands, and the page of modules has every module."""

import inspect

import click
import pytest
from pages import DOCS, ROOT, generator, paths

CLI = generator("cli")
MODULES = generator("modules")


def test_the_page_of_commands_is_up_to_date():
    assert (DOCS / "cli.md").read_text() == CLI.page(), "run `python docs/cli.py`"


def commands(command: click.Command, path: str = "scalectl") -> dict[str, click.Command]:
    """A command and those below it, by the words that call them."""
    below = {}
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            below |= commands(child, f"{path} {name}")
    return {path: command} | below


COMMANDS = commands(CLI.program())


def test_there_are_commands_below_commands():
    assert {"scalectl launch", "scalectl plot frontier"} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_on_the_page_with_its_help_and_every_option(path):
    page = (DOCS / "cli.md").read_text()
    section = page.partition(f"# {path}\n")[2].partition("\n#")[0]
    command = COMMANDS[path]
    if not command.hidden:
        assert inspect.cleandoc(command.help) in section
    parameters = command.get_params(click.Context(command))
    options = [option for option in parameters if isinstance(option, click.Option) and not option.hidden]
    options = [option for option in options if "--help" not in option.opts]  # which the page has once, for all
    assert [name for option in options for name in option.opts if name not in section] == []
    assert [option.name for option in options if option.help and option.help not in section] == []


PURPOSES = {path: MODULES.purpose(path) for path in paths()}


def test_every_module_says_what_it_is_for():
    assert [path for path, purpose in PURPOSES.items() if path.name != "__init__.py" and not purpose] == []


def test_the_page_of_modules_has_every_folder_and_module():
    page = MODULES.page()
    listed = {path: f"- `{path.name}`: {purpose}\n" for path, purpose in PURPOSES.items() if purpose}
    assert [path for path, line in listed.items() if line not in page] == []
    assert [path for path in listed if f"\n## {path.parent.relative_to(ROOT)}/\n" not in page] == []
