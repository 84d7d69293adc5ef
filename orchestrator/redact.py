"""Secrets out of texts that are shown or stored."""

import os
import re
from collections.abc import Mapping

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL|AUTH", re.IGNORECASE)
_USER = re.compile(r"(\w://)[^/\s@:]+:[^/\s@]+@")
_SHORTEST = 6  # characters; shorter values are words that stand elsewhere too


def redacted(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text with each secret of the environment replaced by its name in brackets, and passwords in URLs.

    Secrets are the values of variables that are named like one (TOKEN, SECRET, PASSWORD, KEY ...), but for paths.
    """
    if environ is None:
        environ = os.environ
    secrets = {value: name for name, value in environ.items() if _SECRET.search(name) and _is_secret(value)}
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, f"[{secrets[value]}]")
    return _USER.sub(r"\1[user]@", text)


def _is_secret(value: str) -> bool:
    return len(value) >= _SHORTEST and not value.startswith(("/", "~", "."))
