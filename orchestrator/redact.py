"""Secrets out of texts that are shown or stored: those of the environment, and what looks like one."""

import base64
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus

# Words of names, which are divided by "_", "-", "." or a capital. No library that is kept has such a list: scanners of
# repositories have rules for files, and most of them guess by entropy, which takes hashes and ids for secrets.
_ENDS = "TOKEN|TOKENS|SECRET|SECRETS|PASSWORD|PASSWORDS|PASSWD|PASSPHRASE|APIKEY|CREDENTIAL|CREDENTIALS"
_WORDS = "AUTH|AUTHORIZATION|BEARER|COOKIE|COOKIES|DSN|JWT|PASS|PAT|PW|PWD|SAS|SIG|SIGNATURE|WEBHOOK|WEBHOOKS"
_OF_KEYS = "ACCESS|ACCOUNT|API|AUTH|CLIENT|DEPLOY|ENCRYPTION|LICENSE|MASTER|PRIVATE|SERVICE|SHARED|SIGNING|SSH|STORAGE"
_NAME = re.compile(rf"(?:^|[_.-])(?:\w*(?:{_ENDS})|{_WORDS}|(?:{_OF_KEYS})[_.-]?KEYS?)(?:$|[_.-])")
_WORD = re.compile(_WORDS)  # alone, before a colon, it is a word like others
_ANY_KEY = re.compile(r"(?:^|_)KEYS?(?:$|_)")  # of a variable; texts have keys of other kinds
_PLACES = re.compile(r"(?:^|_)(?:PATH|FILE|DIR|FOLDER|SOCK|SOCKET|MODE)$|^(?:OLD)?PWD$")
_A_PATH = re.compile(r"(?:~|\.{1,2})?/[\w.-]+(?:/[\w.-]+)+/?|~|[~.]{1,2}/[\w./-]*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SHORTEST = 6  # characters; shorter values are words that stand elsewhere too

_USER = re.compile(r"(\w://)[^/\s@]+@")
_HEADER = re.compile(
    r"""(?i)\b((?:proxy-)?authorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic|token|digest)\s+)?)[^\s"',\\]+"""
)
_COOKIE = re.compile(r"""(?i)\b((?:set-)?cookie["']?\s*:\s*["']?)[^\r\n"']+""")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{12,}")
_PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_FLAG = re.compile(r"(?<!\S)--(?P<name>[\w-]+)(?P<sign>\s+)(?P<quote>[\"']?)(?P<value>[^\s\"'-][^\s\"']{5,})")
_PAIR = re.compile(  # a call, such as token = new(), has no value here
    r"""(?P<name>[\w.-]{2,64})(?P<sign>\\?["']?\s?(?:=>?|:)\s?)(?P<quote>\\?["']?)(?P<value>[^\s"'\\&,;(){}\[\]<>]{6,}+)(?!\()"""
)
_SCHEME = re.compile(r"(?i)bearer|basic|digest|[\d.,_]+")  # and numbers: no secrets
_KNOWN = re.compile(  # by what the issuers begin them with
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|[rs]k_live_\w{10,}"
    r"|xox[abeoprs]-[\w-]{10,}|A(?:KI|SI)A[A-Z0-9]{12,}|AIza[\w-]{30,}|ya29\.[\w-]{20,}|npm_\w{20,}|pypi-[\w-]{16,}"
    r"|dop_v1_\w{20,}|SG\.[\w-]{10,}\.[\w-]{10,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)"
    r"|https://hooks\.slack\.com/services/[\w/]+"
)


def redacted(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text without secrets.

    Each value of a variable that is named like one (TOKEN, SECRET, PASSWORD, KEY ...), as it is or encoded, becomes
    the variable's name in brackets. Paths stay. What a URL, a header, a pair such as `password=...` or the beginning
    of a well-known token shows to be a secret becomes [secret].
    """
    if environ is None:
        environ = os.environ
    for form, name in _held(tuple(environ.items())):
        text = text.replace(form, f"[{name}]")
    text = _PEM.sub("[secret]", text)
    text = _USER.sub(r"\1[user]@", text)
    for pattern in (_HEADER, _COOKIE, _BEARER):
        text = pattern.sub(r"\1[secret]", text)
    text = _KNOWN.sub("[secret]", text)
    return _without_values(_without_values(text, _FLAG), _PAIR)


def _without_values(text: str, pattern: re.Pattern[str]) -> str:
    """The text without the values of pairs that are named like secrets."""
    parts, begin, place = [], 0, 0
    while match := pattern.search(text, place):
        if _is_secret(match):
            parts.append(f"{text[begin : match.start('value')]}[secret]")
            begin = place = match.end()
        else:
            place = match.start("value")  # which may be a pair itself, as in a URL
    return "".join([*parts, text[begin:]])


def _is_secret(pair: re.Match[str]) -> bool:
    if _SCHEME.fullmatch(pair["value"]) or _A_PATH.fullmatch(pair["value"]):
        return False
    in_prose = ":" in pair["sign"] and not pair["quote"]
    return named_secret(pair["name"]) and not (in_prose and _WORD.fullmatch(pair["name"].upper()))


def named_secret(name: str) -> bool:
    """Whether a name, of a variable or in a text, is that of a secret."""
    upper = _HUMP.sub("_", name).upper()
    return bool(_NAME.search(upper)) and not _PLACES.search(upper)


@lru_cache(maxsize=1)  # a launch writes a note for every other job, and its environment stays
def _held(environ: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """The secrets of an environment, each as it may stand in a text, the longest first, with their variables' names."""
    names = {form: name for name, value in environ for form in _forms(name, value)}
    return [(form, names[form]) for form in sorted(names, key=len, reverse=True)]


def _forms(name: str, value: str) -> Iterator[str]:
    """The secrets that a variable holds, each as it may stand in a text."""
    secrets = re.findall(r"\w://[^/\s:@]*:([^/\s@]+)@", value)  # the password of a URL
    upper = name.upper()
    if (named_secret(name) or _ANY_KEY.search(upper)) and not _PLACES.search(upper) and not _A_PATH.fullmatch(value):
        secrets.append(value)
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            encoded = base64.b64encode(secret.encode(errors="replace")).decode()
            plain = {secret, secret.strip(), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
            plain |= {repr(secret)[1:-1], shlex.quote(secret).strip("'"), quote(secret, safe=""), quote(secret)}
            plain |= {quote_plus(secret), encoded, encoded.rstrip("="), encoded.translate(_URL_SAFE)}
            yield from (form for form in plain if len(form) >= _SHORTEST)


_URL_SAFE = str.maketrans("+/", "-_")
