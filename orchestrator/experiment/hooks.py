"""What is called when a launch ends, fails or pauses: a URL, or a command with its words."""

import os
import re
import shlex
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import PlainValidator, WithJsonSchema

from scalectl.orchestrator.experiment.values import refusal, shown

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class NoHook(ValueError):  # noqa: N818 - a finding, as NoPath is
    """A text that is neither a URL to call nor a command."""


@dataclass(frozen=True)
class Hook:
    """A hook as it was typed; `$NAME` and `${NAME}` stand for variables of the environment of the launch."""

    typed: str

    def target(self) -> str | list[str]:
        """The URL, or the words of the command, with the values of variables; raises NoHook where one isn't set."""
        text = _filled(self.typed)
        if is_url(text):
            return text
        return [_filled(word) for word in words(self.typed)]


def _filled(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in os.environ:
            raise NoHook(f"the variable {name} is not set")
        return os.environ[name]

    return _VARIABLE.sub(value, text)


def is_url(text: str) -> bool:
    """Whether a hook is called as a URL; raises NoHook for URLs other than http and https, and without a host."""
    if not _URL.match(text):
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise NoHook(f"not a URL: {error}") from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise NoHook("a URL to call begins with http://HOST or https://HOST")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise NoHook("not a URL: write blanks and letters outside ASCII as %20")
    return True


def words(text: str) -> list[str]:
    """The words of a command, as a shell would see them, which none does; raises NoHook for one without any."""
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise NoHook(f"not a command: {str(error).lower()}") from None
    if not parts or "\0" in text:
        raise NoHook("not a command")
    return parts


def _hook(value: Any) -> Hook:
    if not isinstance(value, str):
        raise refusal(f"{shown(value)} is neither a command nor a URL", "write ./notify.sh or https://HOST/PATH")
    try:
        is_url(value) or words(value)
    except NoHook as error:
        raise refusal(f"{shown(value)}: {error}") from None
    return Hook(value)


HookText = Annotated[Hook, PlainValidator(_hook), WithJsonSchema({"type": "string", "minLength": 1})]
