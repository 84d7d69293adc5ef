"""A verb is a file of its own and a line in cli/main.py: a toy one is added from outside, and found in the help."""

import click
import pytest
from click.testing import CliRunner

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.cli.verbs import Verbs


@click.command()
@click.argument("word")
def shout(word: str) -> None:
    """Say a word in capitals, louder than any other verb of this program, so that this sentence needs three lines of a
    narrow screen, and is still there to its end.

    Details are left to its own help.
    """
    click.echo(word.upper())


@pytest.fixture
def program():
    """A group with the verbs of scalectl and one more, in a section of its own and again beside others."""
    group = Verbs(name="scalectl")
    group.add("Start", scalectl.commands["plan"], scalectl.commands["launch"])
    group.add("Noise", shout)
    group.add("Start", scalectl.commands["validate"])
    return group


def printed(group: click.Command, *words: str, width: int = 80) -> str:
    done = CliRunner().invoke(group, [*words, "--help"], terminal_width=width)
    assert done.exit_code == 0, done.exception
    return done.stdout


def sections(text: str) -> dict[str, str]:
    """The sections of a help screen below its options, each on one line."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            found[line[:-1]] = []
        elif found:
            found[list(found)[-1]] += line.split()
    return {heading: " ".join(words) for heading, words in found.items()}


def test_a_verb_from_outside_runs_and_stands_in_its_section_with_its_whole_sentence(program):
    assert CliRunner().invoke(program, ["shout", "hello"]).stdout == "HELLO\n"
    found = sections(printed(program))
    assert [*found] == ["Options", "Start", "Noise"]
    assert found["Noise"].startswith("shout Say a word in capitals, louder than any other verb of this program, so")
    assert found["Noise"].endswith("still there to its end.")


def test_verbs_of_a_section_come_in_the_order_in_which_they_were_added(program):
    text = printed(program)
    assert text.index("  plan ") < text.index("  launch ") < text.index("  validate ") < text.index("Noise:")


def test_the_sections_say_what_one_wants_to_do():
    assert list(sections(printed(scalectl)))[1:] == ["Start", "Watch", "Steer", "Learn", "Data"]


@pytest.mark.parametrize("words", [[], ["plot"]], ids=["scalectl", "plot"])
def test_a_help_of_80_columns_is_neither_wider_nor_cut(words):
    text = printed(scalectl, *words)
    usage, _, table = text.partition("Options:")
    assert usage.startswith("Usage:") and "..." not in table
    assert max(map(len, text.splitlines())) <= 80


def test_a_verb_says_its_purpose_on_one_line_of_80_columns():
    lines = printed(scalectl).splitlines()
    for name, verb in ((name, verb) for name, verb in scalectl.commands.items() if not verb.hidden):
        purpose = " ".join((verb.help or "").split("\n\n")[0].split())
        assert any(line.split() == [name, *purpose.split()] for line in lines), f"{name} needs more than a line"
        assert purpose.endswith(".") and purpose[0].isupper()


@pytest.mark.parametrize("name", sorted(scalectl.commands))
def test_no_help_of_a_verb_is_wider_than_its_screen(name):
    assert max(map(len, printed(scalectl, name).splitlines())) <= 80
