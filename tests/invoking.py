"""The command line, called in the process of the tests."""

from click.testing import CliRunner, Result

from scalectl.orchestrator.cli.main import scalectl


def command(*words: object) -> Result:
    """What a command says and returns; a refusal is its exception."""
    return CliRunner().invoke(scalectl, [str(word) for word in words], standalone_mode=False)
