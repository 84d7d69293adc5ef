"""Files in buckets, gs:// and s3://, as pyarrow lists and opens them; the same calls open files on disks."""

import re
from datetime import timedelta
from functools import cache
from pathlib import PurePosixPath
from textwrap import shorten
from typing import Any

from scalectl.trainer.files import Unreadable

RETRY_SECONDS = 10  # that a bucket of Google's may take to answer; S3 has a number of tries of its own
WORDS = 320  # letters of what a bucket says, which has the cause first
SIGN_IN = {
    "gs": "sign in with gcloud auth application-default login",
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}


def opened(file: str) -> Any:
    """Return a file on a disk or in a bucket, open to be read; raises OSError."""
    import pyarrow as pa

    if "://" not in file:
        return pa.OSFile(file)
    system, place = _system(file), file.partition("://")[2].removeprefix("anonymous@")
    return system.open_input_file(place)


def listed(path: str, ending: str, kind: str) -> list[tuple[str, int]]:
    """Return address and bytes of what a path means: a file, those below a folder with this ending, or a pattern's.

    Raises Unreadable where there are none, or the bucket doesn't say.
    """
    scheme, _, place = path.rstrip("/").partition("://")
    try:
        found = _found(_system(path), place.removeprefix("anonymous@"), ending)
    except OSError as error:
        said = shorten(str(error), WORDS, placeholder=" ...")
        raise Unreadable(f"{path}: {said} If you can't read it, {SIGN_IN[scheme]}") from error
    if not found:
        raise Unreadable(f"{path}: no {kind} files there")
    who = "anonymous@" * place.startswith("anonymous@")
    return sorted((f"{scheme}://{who}{one.path}", one.size) for one in found)


def _found(system: Any, place: str, ending: str) -> list[Any]:
    from pyarrow.fs import FileSelector

    above = PurePosixPath(*_before(PurePosixPath(place).parts))
    pattern = str(above) != place
    [here] = system.get_file_info([str(above)])
    if here.is_file:
        return [here]
    every = system.get_file_info(FileSelector(str(above), recursive=True, allow_not_found=True))
    wanted = re.compile(_regex(place) if pattern else f".*{re.escape(ending)}")
    return [one for one in every if one.is_file and wanted.fullmatch(one.path)]


def _before(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts before the first that is a pattern."""
    wild = [number for number, part in enumerate(parts) if re.search(r"[*?]", part)]
    return parts[: wild[0]] if wild else parts


def _regex(pattern: str) -> str:
    """Return a pattern of paths, in which ** stands for any folders, as a regular expression."""
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meanings.get(one) or re.escape(one) for one in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern))


def _system(address: str) -> Any:
    scheme, _, place = address.partition("://")
    return _file_system(scheme, place.split("/")[0])


@cache
def _file_system(scheme: str, bucket: str) -> Any:
    from pyarrow import fs

    if scheme == "gs":
        anonymous = bucket.startswith("anonymous@")
        return fs.GcsFileSystem(anonymous=anonymous, retry_time_limit=timedelta(seconds=RETRY_SECONDS))
    return fs.FileSystem.from_uri(f"s3://{bucket}")[0]  # which asks for the bucket's region
