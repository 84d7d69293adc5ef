"""The trained parameters of a run as files for other programs, with what describes and loads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Exit, NotFound, Refusal
from scalectl.orchestrator.files import atomic
from scalectl.orchestrator.format import command, one_line
from scalectl.orchestrator.report.model_card import document, page
from scalectl.orchestrator.report.parameter_files import FILES, STEM
from scalectl.orchestrator.store import artifacts
from scalectl.orchestrator.store.details import Details
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.vocabulary import RunState
from scalectl.trainer.checkpoint import Corrupt, is_one, parameters, steps
from scalectl.trainer.exchange import FORMATS
from scalectl.trainer.exchange.parameters import Unwritable
from scalectl.trainer.own import Missing
from scalectl.trainer.own_code import BadCode
from scalectl.trainer.spec import RunSpec
from scalectl.trainer.step import abstract, shape

DEFAULT = "safetensors"
WHOLE = ("safetensors", "msgpack")  # formats that take any parameters


class WrongFormat(Refusal):
    """A file whose suffix is that of another format."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Target:
    """The files that an export writes: in a folder, or beside a file of another name."""

    form: str
    weights: Path
    config: Path
    readme: Path

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """All of them."""
        return self.weights, self.config, self.readme


def target(output: Path, form: str | None) -> Target:
    """The files that go to a folder, or to a file with the suffix of its format; raises WrongFormat."""
    suffixes = {suffix: name for name, suffix in reversed(FORMATS.items())}
    if output.is_file() and output.suffix not in suffixes:
        raise WrongFormat(f"{output} is a file. Give a folder, or a file that ends in {', '.join(suffixes)}.")
    if output.suffix not in suffixes or output.is_dir():
        form = form or DEFAULT
        return Target(form, output / f"{STEM}{FORMATS[form]}", output / "config.json", output / "README.md")
    form = form or suffixes[output.suffix]
    if FORMATS[form] != output.suffix:
        raise WrongFormat(f"{output}: a file of {form} ends in {FORMATS[form]}. Give such a file, or a folder.")
    config, readme = (output.with_name(output.name + suffix) for suffix in (".json", ".md"))
    return Target(form, output, config, readme)


def export(word: str, store: Path, files: Target, *, folder: str | None = None, force: bool = False) -> str:
    """Write the parameters of the run that a word names, and return its name; a file that fails isn't there.

    They are those of its last checkpoint, or of the copy of it in `folder`. Raises NotFound for a run or a checkpoint
    that isn't there, and Refusal where a file is there already, the checkpoint is damaged or another run's, or the
    format has no place for what the model has.
    """
    if present := [str(path) for path in files.files if path.exists() and not force]:
        are = "is" if len(present) == 1 else "are"
        raise Refusal(
            f"refused: {', '.join(present)} {are} there already. Give another folder, or --force to overwrite."
        )
    details = Store(store).run(word)
    if folder is not None and not is_one(folder):
        raise NotFound(_no_checkpoint(folder))
    path = folder or last_checkpoint(details, Store(store).again() or command("launch FILE"))
    spec: RunSpec = _spec(RunSpec, details.run["spec"])
    digest = _digest(details)
    try:
        variables = _restored(path, spec, digest)
    except (Missing, BadCode) as error:
        raise Refusal(f"refused: {error}.") from error
    facts = document(details, spec, digest)
    form, trunk = FILES[files.form], spec.trunk
    try:
        files.weights.parent.mkdir(parents=True, exist_ok=True)
        with atomic(files.weights) as partial:
            partial.touch()
            mode = partial.stat().st_mode  # by the umask; safetensors makes a file of its own, for the owner alone
            form.write(variables, trunk, facts, partial)
            partial.chmod(mode)
        with atomic(files.config) as partial:
            partial.write_text(json.dumps(form.config(trunk, facts), indent=1) + "\n", encoding="utf-8")
        with atomic(files.readme) as partial:
            code = form.code(trunk, files.weights.name)
            partial.write_text(page(facts, code, files.config.name), encoding="utf-8")
    except Unwritable as error:
        raise Refusal(f"refused: {files.form} has {error}. {' and '.join(WHOLE)} take all parameters.") from error
    except OSError as error:
        raise Refusal(f"{error.filename or files.weights}: {error.strerror or error}.") from error
    return str(details.run["name"])


def last_checkpoint(details: Details, again: str) -> str:
    """The folder of a run's last checkpoint; `again` is the command of the last launch. Raises NotFound."""
    run = details.run
    name = one_line(run["name"])
    if run["origin"]:
        raise NotFound(f"{name} is an imported run, which has no checkpoint.")
    ends = [row["path"] for row in details.checkpoints if row["kept"] and row["step"] == run["steps"]]
    if not ends and run["state"] is not RunState.DONE:
        raise NotFound(f"{name} is {run['state']}: it has no parameters of its last step. Next: {again}")
    if not ends:
        raise NotFound(f"{name} is done, but its last checkpoint was pruned. {KEPT}")
    path = str(ends[-1])
    if not artifacts.size(path):
        raise NotFound(f"{path}: the last checkpoint of {name} isn't there. Give its copy by --checkpoint. {KEPT}")
    return path


def _no_checkpoint(folder: str) -> str:
    """That a folder which was given is none, with one inside it that is."""
    text = f"{folder} is no checkpoint: give the folder that has its step as its name"
    if inside := steps(folder):
        text += f", such as {folder.rstrip('/')}/{inside[-1]}"  # a Path of gs://bucket has one slash
    return f"{text}."


KEPT = (
    "scalectl prune keeps the last checkpoints of all runs that its file has, so export a run before you take it out"
    " of the file. A launch of a file with the run and a metric that it lacks trains it again, to the same parameters."
)


def _spec(kind: Any, document: Mapping[str, Any]) -> Any:
    """A spec of a kind from the document that the store has of it; what came later has its default."""
    values = {}
    for declared in fields(kind):
        if declared.name in document:
            value = document[declared.name]
            inner = is_dataclass(declared.type) and isinstance(value, dict)
            values[declared.name] = _spec(declared.type, value) if inner else value
    return kind(**values)


def _digest(details: Details) -> str:
    """The digest of a run's parameters after its last step; only a checkpoint has it before the run is done."""
    ends = [row["digest"] for row in details.checkpoints if row["step"] == details.run["steps"]]
    return str(details.run["digest"] or "".join(ends[-1:]))


def _restored(path: str, spec: RunSpec, digest: str) -> Any:
    """The parameters in a checkpoint of this spec; raises Refusal for a damaged one, or one of another digest."""
    if "://" not in path:
        path = str(Path(path).absolute())
    try:
        return parameters(path, abstract(shape(spec.trunk)), digest)
    except Corrupt as error:
        raise Refusal(f"refused: {error}") from error
