"""Files on disks and in buckets, gs:// and s3://, found and opened."""

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path, PurePosixPath
from textwrap import shorten
from typing import Any

from scalectl.trainer.data.endings import without_leftovers
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.walking import Walk

RETRY_SECONDS = 10  # that a bucket of Google's may take to answer; S3 has a number of tries of its own
MESSAGE_LENGTH = 320  # letters of a bucket's error, which has the cause first
SIGN_IN = {
    "gs": "sign in with gcloud auth application-default login",
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}


def remote(path: str) -> bool:
    """Whether a path lies in a bucket."""
    return path.startswith(("gs://", "s3://"))


def as_path(place: str) -> Any:
    """The path of a file or folder, which in a bucket has the methods of pathlib's as well."""
    if not remote(place):
        return Path(place)
    from etils import epath  # only here: a tenth of a second that files on disks don't need

    return epath.Path(place)


def matching(path: str, pattern: str, kind: str) -> list[Path]:
    """The files that a path means: one, all below a folder that match `pattern`, or those of its own pattern.

    Raises Unreadable where there are none.
    """
    root = Path(path)
    if root.is_dir():
        candidates = list(Walk(path).below(pattern))
    elif root.exists():
        candidates = [root]
    else:
        candidates = list(Walk(path).matches())
        root = Path(*_before_pattern(root.parts, r"[*?[]"))
    own = (file for file in candidates if without_leftovers(file.relative_to(root).parts))
    files = sorted(file for file in own if file.is_file())
    if not files:
        raise Unreadable(f"{path}: no {kind} files there")
    return files


def versions(files: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    """Files on disks with their sizes in bytes, and when they were last changed, in nanoseconds."""
    stats = {file: Path(file).stat() for file in files}
    return tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats.items())


def root(path: str) -> str:
    """What all files at a path begin with: the path itself, of a pattern the folders before its first sign."""
    return re.split(r"[^/\\]*[*?[]", path, maxsplit=1)[0]


def opened(file: str) -> Any:
    """A file on a disk or in a bucket, open to be read; raises OSError."""
    import pyarrow as pa

    if "://" not in file:
        return pa.OSFile(file)
    return _system(file).open_input_file(file.partition("://")[2].removeprefix("anonymous@"))


def listed(path: str, ending: str, kind: str) -> list[tuple[str, int]]:
    """The address and size in bytes of the files that a path in a bucket means: one, a folder's, or a pattern's.

    Of a folder those with this ending. Raises Unreadable where there are none, or the bucket doesn't say.
    """
    scheme, _, location = path.rstrip("/").partition("://")
    key = location.removeprefix("anonymous@")
    try:
        files = _files(_system(path), key, ending)
    except OSError as error:
        reason = shorten(str(error), MESSAGE_LENGTH, placeholder=" ...")
        raise Unreadable(f"{path}: {reason} If you can't read it, {SIGN_IN[scheme]}") from error
    if not files:
        raise Unreadable(f"{path}: no {kind} files there")
    user = location[: len(location) - len(key)]
    return sorted((f"{scheme}://{user}{file.path}", file.size) for file in files)


def _files(system: Any, key: str, ending: str) -> list[Any]:
    """The files of a bucket at a key, below it, or of its pattern; raises OSError."""
    from pyarrow.fs import FileSelector

    root = str(PurePosixPath(*_before_pattern(PurePosixPath(key).parts)))
    [entry] = system.get_file_info([root])
    if entry.is_file:
        return [entry]
    pattern = f".*{re.escape(ending)}"
    if root != key:
        pattern = _regex(key)
    below = system.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    files = [file for file in below if file.is_file and re.fullmatch(pattern, file.path)]
    return [file for file in files if without_leftovers(PurePosixPath(file.path).relative_to(root).parts)]


def _before_pattern(parts: tuple[str, ...], signs: str = r"[*?]") -> tuple[str, ...]:
    """The parts of a path before the first that is a pattern, which has one of these signs."""
    for number, part in enumerate(parts):
        if re.search(signs, part):
            return parts[:number]
    return parts


def _regex(pattern: str) -> str:
    """A pattern of paths, in which ** stands for any folders, as a regular expression."""
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern)
    return "".join(meanings.get(part) or re.escape(part) for part in parts)


def _system(address: str) -> Any:
    scheme, _, location = address.partition("://")
    return _file_system(scheme, location.split("/")[0])


@cache
def _file_system(scheme: str, bucket: str) -> Any:
    from pyarrow import fs

    if scheme == "gs":
        anonymous = bucket.startswith("anonymous@")
        return fs.GcsFileSystem(anonymous=anonymous, retry_time_limit=timedelta(seconds=RETRY_SECONDS))
    return fs.FileSystem.from_uri(f"s3://{bucket}")[0]  # which asks for the bucket's region
