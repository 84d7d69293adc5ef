"""Programs on disk as JAX lowers them: a worker that finds one there doesn't trace it.

JAX asks its cache of machine code for a program that is traced and lowered, which takes twice as long as loading it. So
what JAX lowers lies beside it, as StableHLO, under a hash of all that tracing reads. Whoever traces a program compiles
what it has written, as those do that read it, so that they find its machine code.

None is used where that hash could lack something: beside code of one's own, and outside of a worker, as functions may
have been replaced there. Nor on accelerators, where seconds of tracing are little beside a training.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scalectl.trainer import own_code
from scalectl.trainer.cache import appearing
from scalectl.trainer.environment import FREE, PINNED_IN_FLAX

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "ml_dtypes", "opt_einsum")
_began: list[str] = []  # what `_source` was when this worker began


def use() -> None:
    """Have programs of this process, a worker, read from disk and written there from now on, if its source is read."""
    with suppress(Exception):  # an editor's lock on a file is a link to nothing
        _began.append(_source())


def lowered(name: Any, shape: Any, function: Callable[..., Any], arguments: Sequence[Any], **options: Any) -> Any:
    """`function` for such arguments, to be compiled; `name`, `shape` and the trainer's source tell it from all others.

    Options are `donate`, as JAX has it, and `like`, of the structure of the results. Whatever is wrong on the disk, it
    is traced.
    """
    import jax

    donated = options.get("donate", ())
    with suppress(Exception):  # one of the function's own is raised again below
        if "like" in options and (file := _file([name, type(shape.model), astuple(shape)], arguments)):
            program, like = _read(file) or _written(file, function, arguments), jax.tree.structure(options["like"])

            def stored(*arguments: Any) -> Any:
                return jax.tree.unflatten(like, _call().bind(*jax.tree.leaves(arguments), **program))

            stored.__name__ = function.__name__  # profiles have it
            return jax.jit(stored, donate_argnums=donated).lower(*arguments)
    return jax.jit(function, donate_argnums=donated).lower(*arguments)


@cache
def _call() -> Any:
    """The operation of JAX that is a stored program."""
    import jax
    from jax.extend.core import Primitive
    from jax.extend.mlir import ir
    from jax.extend.mlir.dialects import func
    from jax.interpreters import mlir

    def lower(context: Any, *arguments: Any, code: bytes, results: Any) -> Any:
        module, program = context.module_context, ir.Module.parse(code)
        main: Any = ir.SymbolTable(program.operation)["main"]
        types = main.type.results
        name = mlir.merge_mlir_modules(module.module, "stored", program, dst_symtab=module.symbol_table)
        return func.CallOp(types, ir.FlatSymbolRefAttr.get(name), arguments).results

    call = Primitive("stored")
    call.multiple_results = True
    call.def_abstract_eval(lambda *_, code, results: [jax.typeof(result) for result in results])
    mlir.register_lowering(call, lower)
    return call


def _read(file: Path) -> dict[str, Any]:
    """The code of a program and the kinds of its results; nothing of a file that isn't as it was written."""
    import jax

    digest, _, text = (file.read_bytes() if file.exists() else b"").partition(b"\n")
    if digest != _digest(file, text):
        return {}
    results, _, code = text.partition(b"\n")
    kinds = tuple(jax.ShapeDtypeStruct(*kind, weak_type=weak) for *kind, weak in json.loads(results))
    return {"code": code, "results": kinds}


def _written(file: Path, function: Callable[..., Any], arguments: Sequence[Any]) -> dict[str, Any]:
    """What `_read` finds of a program that is traced and written now."""
    import jax
    from jax.interpreters import mlir

    traced = jax.jit(function, keep_unused=True).trace(*arguments)
    results = json.dumps(_kinds(traced.jaxpr.out_avals)).encode()
    text = results + b"\n" + mlir.module_to_bytecode(traced.lower().compiler_ir("stablehlo"))
    with appearing(file) as part:
        Path(part).write_bytes(_digest(file, text) + b"\n" + text)
    return _read(file)


def _kinds(leaves: Sequence[Any]) -> list[Any]:
    return [(leaf.shape, leaf.dtype.name, leaf.weak_type) for leaf in leaves]


def _digest(file: Path, text: bytes) -> bytes:
    return hashlib.sha256(file.name.encode() + text).hexdigest().encode()


def _file(of: Sequence[Any], arguments: Sequence[Any]) -> Path | None:
    """The file of a program beside JAX's own; None where none is to be used."""
    import flax
    import jax

    config: Any = jax.config
    folder = str(config.jax_compilation_cache_dir or "://")
    if not config.jax_enable_compilation_cache or "://" in folder:
        return None
    if _began != [_loaded()] or own_code.loaded() or jax.default_backend() != "cpu":
        return None
    leaves, structure = jax.tree.flatten(arguments)
    options: dict[str, Any] = {name: getattr(config, name, "") for name in sorted(config.values) if name not in FREE}
    options |= {name: getattr(flax.config, name, "") for name in PINNED_IN_FLAX}
    options |= {"XLA_FLAGS": os.environ.get("XLA_FLAGS"), "devices": jax.devices()}
    key = repr((*of, structure, _kinds([*map(jax.typeof, leaves)]), options, _loaded()))
    return Path(folder) / f"scalectl-{hashlib.sha256(key.encode()).hexdigest()}"


@cache
def _loaded() -> str:
    """`_source` when the first program was asked for: the same, unless the trainer was edited as it was imported."""
    return _source()


def _source() -> str:
    """The trainer's source and all that it is traced with, as a digest."""
    digest, root = hashlib.sha256(), Path(__file__).parent
    for source in sorted(root.rglob("*.py")):
        digest.update(f"{source.relative_to(root)}\n".encode() + source.read_bytes())
    versions = [platform.python_version(), platform.platform(), *map(_installed, _PACKAGES)]
    return hashlib.sha256(f"{digest.hexdigest()} {versions}".encode()).hexdigest()


def _installed(package: str) -> tuple[Any, ...]:
    """The version of a package, with sizes and times of its files: two commits, or an edited copy, may have one."""
    root = find_spec(package).submodule_search_locations[0]  # type: ignore[union-attr,index]
    files = [f"{folder}/{name}" for folder, _, names in os.walk(root) for name in names if name.endswith(".py")]
    return version(package), sorted((stat.st_size, stat.st_mtime_ns) for stat in map(os.stat, files))
