"""Code of one's own: Python files that a study names, the hash that they are known by, and how a process loads them.

A hash covers a file and all that it imports, in whatever part of it, but for what is installed: a change of any of that
is a change of the code. What lies beside the file travels with each job as text, and is loaded from a copy in the
user's cache, so that an edit while a launch works reaches no job of it.
"""

import ast
import contextlib
import hashlib
import importlib
import linecache
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from scalectl.trainer import cache
from scalectl.trainer.canonical import canonical_json

MAX_BYTES = 2**20  # of all files of one's own: they travel with each job
INSTALLED = ("site-packages", "dist-packages")
NO_FILE = "<string>"  # of all that is run by exec, and of python -c, whose text Python 3.13 has under it for both

Parts = tuple[str, ...]  # of the name of a module


class BadCode(Exception):  # noqa: N818 - what is wrong lies in the files
    """A file of one's own that can't be read or run; the message names file and line, and what is wrong there."""

    def __init__(self, message: str, code: "Code | None" = None) -> None:
        super().__init__(message)
        self.code = code  # that failed, of several


@dataclass(frozen=True)
class Code:
    """A file of one's own, with those beside it that it imports, and the hashes of those from elsewhere."""

    file: str  # as it was named
    files: tuple[tuple[str, str], ...]  # path from the folder of the file, and text; the file itself first
    outside: tuple[tuple[str, str], ...] = ()  # path from the folder that Python looks in, and hash

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits that tell this code from any other, wherever its files lie."""
        return _hash(canonical_json([self.files, self.outside]))

    @property
    def module(self) -> str:
        """The name of the file as a module."""
        return Path(self.files[0][0]).stem


def read(path: Path, named: str = "") -> Code:
    """The code in a file, and in all that it imports; nothing is run. Raises BadCode."""
    path = path.absolute()
    if path.suffix != ".py" or "." in path.stem or path.stem.startswith("__"):
        raise BadCode(f"{path.name} can't be imported: a file of code is called like models.py")
    texts: dict[tuple[Path, Path], str] = {}  # by the folder that Python looks in, and the file
    left = [(path.parent, path)]
    while left:
        if (reached := left.pop()) in texts:
            continue
        folder, file = reached
        texts[reached] = _text(file)
        left += _imported(folder, file, texts[reached], path.parent)
        if sum(map(len, texts.values())) > MAX_BYTES:
            raise BadCode(f"{path.name} and what it imports are more than {MAX_BYTES:,} bytes: install a part of it")
    beside = {
        str(file.relative_to(path.parent)): text for (folder, file), text in texts.items() if folder == path.parent
    }
    for name in {Path(name).parts[0].removesuffix(".py") for name in beside}:
        if name in sys.stdlib_module_names or name == "scalectl" or _is_installed(name):
            raise BadCode(f"{name}.py has the name of an installed module: rename it")
    outside = {
        str(file.relative_to(folder)): _hash(text) for (folder, file), text in texts.items() if folder != path.parent
    }
    others = sorted(item for item in beside.items() if item[0] != path.name)
    return Code(named or str(path), ((path.name, beside[path.name]), *others), tuple(sorted(outside.items())))


def load(*codes: Code) -> None:
    """Run the files of a study in this process, unless they ran before; raises BadCode.

    What several of them import is one module, which they share with no other study, nor with an older version of one.
    From then on the names of their modules mean these, also where a function imports one late.
    """
    together = tuple(code.digest for code in codes)
    if not codes or next(reversed(_loaded), None) == together:
        return
    folders = [_copied(code) for code in codes]
    names = {name for code in codes for name in _texts(code)}
    for name in names:
        sys.modules.pop(name, None)
    marks = [f"{code.module}.main" for code in codes]
    sys.path[:] = [place for place in sys.path if not any((Path(place) / mark).exists() for mark in marks)]
    if together in _loaded:
        sys.path[:0] = map(str, reversed(folders))
        _loaded[together] = _loaded.pop(together)
        sys.modules.update(_loaded[together][1])
        return
    for code, folder in zip(codes, folders, strict=True):
        _run(code, folder)
    _loaded[together] = codes, {name: sys.modules[name] for name in names if name in sys.modules}


# code that ran together, and its modules, by its hashes; last what the names of modules mean now
_loaded: dict[tuple[str, ...], tuple[tuple[Code, ...], dict[str, ModuleType]]] = {}


def _run(code: Code, folder: Path) -> None:
    """Import a file, with the modules that one before it has imported, where these are the same."""
    _unchanged(code)
    texts = _texts(code)
    there = {name: Path(str(sys.modules[name].__file__)) for name in texts if name in sys.modules}
    if any(file.read_text("utf-8") != texts[name] for name, file in there.items()):
        for name in there:
            del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        with prints_aside():
            importlib.import_module(code.module)
    except (Exception, SystemExit) as error:  # whatever the file raises
        raise BadCode(_where(error, folder, code.files[0][0]), code) from error


def prints_aside() -> contextlib.AbstractContextManager[Any]:
    """Have what code of one's own prints in here on stderr, for it is no part of a verb's answer."""
    return contextlib.redirect_stdout(sys.stderr)


def _texts(code: Code) -> dict[str, str]:
    """The texts of the files of one's own by the names of their modules."""
    return {".".join(_parts(Path(file))): text for file, text in code.files}


def loaded() -> tuple[tuple[Code, ...], ...]:
    """All code of one's own that this process has, for another one to load: what ran together in one."""
    return tuple(codes for codes, _ in _loaded.values())


def version(file: str) -> str:
    """The hash of the code in a file, or in a cell of a notebook, from which something is added; raises BadCode."""
    path, home = Path(file), cache.folder("code")
    if home in path.parents:
        return path.relative_to(home).parts[0]
    if path.is_file():
        return read(path).digest
    text = "".join(linecache.getlines(file))
    if text and file != NO_FILE:
        return _hash(text)
    raise BadCode(f"{file} is no file: what is added has to lie in one, so that a change of it is noticed")


def find(digest: str) -> bool:
    """Load the code of a hash where the user's cache has a copy of it; tells whether it has. Raises BadCode."""
    folder = cache.folder("code") / digest
    marks = list(folder.glob("*.main"))
    if not marks:
        return False
    code = read(folder / f"{marks[0].stem}.py")
    if code.digest == digest:
        load(code)
    return code.digest == digest


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadCode(f"{file}: {getattr(error, 'strerror', None) or error}") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _parts(file: Path) -> Parts:
    """The name of the module in a file, whose path starts from the folder that Python looks in."""
    parts = file.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def _imported(folder: Path, file: Path, text: str, beside: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files that a file imports, each after the folder that Python looks in; not those that are installed."""
    try:
        tree = ast.parse(text, str(file))
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""  # none of a file with zero bytes
        raise BadCode(f"{file.name}{line}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # of one that is nested too deeply
        raise BadCode(f"{file.name} is no Python that can be read: {type(error).__name__}: {error}") from error
    package = _parts(file.relative_to(folder))
    if file.stem != "__init__":
        package = package[:-1]
    for name, is_relative in _names(tree, package):
        place = folder if is_relative else _place(name[0], beside)
        if place is not None:
            yield from ((place, found) for found in _files(place, name))


def _names(tree: ast.AST, package: Parts) -> Iterator[tuple[Parts, bool]]:
    """Yield the modules that may be imported, and whether from the file's own package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((tuple(alias.name.split(".")), False) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = above + tuple(filter(None, (node.module or "").split(".")))
            yield from (((*module, alias.name), bool(node.level)) for alias in node.names)


def _files(place: Path, name: Parts) -> Iterator[Path]:
    """Yield the files of a module and of the packages around it."""
    for length in range(1, len(name) + 1):
        stem = place.joinpath(*name[:length])
        for file in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if file.is_file():
                yield file
                break


def _place(name: str, beside: Path) -> Path | None:
    """The folder in which Python finds a module that is not installed; None for any other."""
    if name in sys.stdlib_module_names or name == "scalectl":
        return None
    if (beside / name).is_dir() or (beside / f"{name}.py").is_file():
        return beside
    lies = _lies(name)
    return None if lies is None or set(lies.parts) & {*INSTALLED} else lies.parent


def _lies(name: str) -> Path | None:
    """The file or folder of a module, wherever it is."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    lies = Path(places[0]) if places and places[0] else None
    return lies if lies and cache.folder("code") not in lies.parents else None  # there lie copies of other code


def _is_installed(name: str) -> bool:
    lies = _lies(name)
    return lies is not None and bool(set(lies.parts) & {*INSTALLED})


def _unchanged(code: Code) -> None:
    """Raise BadCode where a file from elsewhere isn't what it was when the code was read."""
    for name, digest in code.outside:
        place = _place(Path(name).parts[0].removesuffix(".py"), Path("/nowhere"))
        if place is None or not (place / name).is_file():
            raise BadCode(f"{code.file} imports {name}, which isn't here: install it where jobs run, or put it beside")
        if _hash(_text(place / name)) != digest:
            raise BadCode(f"{place / name} is another than when the study was planned: launch again")


def _copied(code: Code) -> Path:
    """The folder in the user's cache with the files of the code."""
    folder = cache.folder("code") / code.digest
    if not folder.is_dir():
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, text in code.files:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(text, encoding="utf-8")
        (made / f"{code.module}.main").touch()
        try:
            made.rename(folder)
        except OSError:  # another process was quicker
            shutil.rmtree(made)
    return folder


def _where(error: BaseException, folder: Path, file: str) -> str:
    """The file and line of one's own that an error comes from, and what it says."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if folder in Path(frame.filename).parents]
    place = f"{Path(frames[-1].filename).relative_to(folder)}, line {frames[-1].lineno}" if frames else file
    return f"{place}: {type(error).__name__}: {error}"
