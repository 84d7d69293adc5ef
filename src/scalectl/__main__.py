"""The command `scalectl`, also as `python -m scalectl`: it imports installed packages, and no code that lies around."""

import os  # and nothing else yet: a user's random.py might be meant
import sys

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

_INTERRUPTED = 130  # errors.Exit.INTERRUPTED, of which nothing can be known yet


def main() -> None:
    """Run the command line; folders of loose code, such as the current one, are on no path by then.

    A user's `PYTHONPATH` would put theirs before the packages of ours, here and in every process that is started.
    Folders of installed packages stay: clusters bring theirs by that variable.
    """
    given = [folder for folder in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if folder]
    loose = {folder for folder in given if not _holds_packages(folder)}
    kept = os.pathsep.join(folder for folder in given if folder not in loose)
    if kept:
        os.environ["PYTHONPATH"] = kept
    loose |= {os.path.abspath(folder) for folder in loose}  # noqa: PTH100
    if not sys.flags.safe_path:
        loose.add(sys.path[0])  # of the script, or the current folder
    sys.path[:] = [folder for folder in sys.path if folder not in loose or folder == _OURS]
    try:
        from scalectl.orchestrator.cli.main import main as command
    except KeyboardInterrupt:  # in the tenths of a second that this takes
        sys.exit(_INTERRUPTED)
    command()


def _holds_packages(folder: str) -> bool:
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return False
    return "os.py" in names or any(name.endswith(".dist-info") for name in names) or os.path.samefile(folder, _OURS)  # noqa: PTH121


if __name__ == "__main__":
    main()
