"""Inputs that no user means to give, made by code: harmless to other programs, and each refused by this one in words.

A case is the words of a command and the exit codes that it may have; its files are in the folder `place`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from PIL import Image
from smallest import STUDY

FILES = "sizes: [350], image_size: 8"
LONG = "9" * 4000
HUGE = str(10**15)
Case = tuple[list[str], set[int]]


def changed(old: str, new: str) -> str:
    assert old in STUDY
    return STUDY.replace(old, new)


def of_files(source: str) -> str:
    return changed("digits", f'"{source}"').replace("sizes: [350]", FILES)


YAML = {
    "values on one line": "a: [" + "1," * 49_000 + "1]",
    "keys": "".join(f"k{n}: 1\n" for n in range(9_000)),
    "items": "a:\n" + "- 1\n" * 24_000,
    "brackets": "[" * 49_000,
    "quotes": 'a: "' + "\\x41" * 24_000 + '"',
    "anchors": "a: &a [1]\n" + "".join(f"k{n}: *a\n" for n in range(8_000)),
    "doubling": "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30)),
    "merges": "a: &a {b: 1}\n" + "c: {<<: [" + "*a, " * 20_000 + "*a]}\n",
    "comments": "#\n" * 49_000,
    "text": "x" * 200_000,
    "integer": changed("depth: 2", f"depth: {LONG}"),
    "integer of another base": changed("depth: 2", f"depth: 0x{'f' * 4000}"),
    "integer as text": changed("depth: 2", f'depth: "{LONG}k"'),
    "rate": changed("1e-3", LONG),
    "seed": STUDY + f"grid: {{seeds: [{LONG}]}}\n",
    "extends a NUL": 'extends: "a\\0b"\n' + STUDY,
    "extends a long name": f"extends: {'a' * 300}\n" + STUDY,
    "extends a long path": f"extends: {'a/' * 3000}\n" + STUDY,
    "extends an unknown user's": "extends: ~nobody-of-this-name/x\n" + STUDY,
    "extends a loop": "extends: loop\n" + STUDY,
    "extends a device": "extends: /dev/zero\n" + STUDY,
    "store of an unknown user": STUDY + "store: ~nobody-of-this-name/x\n",
    "store in a loop": STUDY + "store: loop/x\n",
    "artifacts in a loop": STUDY + "artifacts: loop\n",
    "pictures of an unknown user": of_files("folder:~nobody-of-this-name/x"),
    "pictures in a loop": of_files("folder:loop"),
    "pictures of processes": of_files("folder:/proc"),
    "parquet of a whole machine": of_files("parquet:/**/*"),
    "depth": changed("depth: 2", f"depth: {HUGE}"),
    "width": changed("width: 16", f"width: {HUGE}"),
    "mlp_dim": changed("depth: 2", f"depth: 2, mlp_dim: {HUGE}"),
    "heads": changed("width: 16", "width: 1099511627776").replace("num_heads: 2", "num_heads: 1099511627776"),
    "classes": changed("digits, sizes: [350]", f"synthetic, sizes: [350], num_classes: {HUGE}"),
    "image_size": changed("digits, sizes: [350]", f"synthetic, sizes: [350], image_size: {HUGE}"),
    "batch_size": changed("batch_size: 64", f"batch_size: {HUGE}"),
    "steps": changed("[200]", f"[{HUGE}]"),
    "extra": STUDY + f"grid: {{extra: [{{model: nano, data_size: 350, steps: {HUGE}}}]}}\n",
    "device hours": changed("steps: [200]", "device_hours: [1e300], flops_per_second: 1e300"),
    "resolution": STUDY + f"evals: {{finetune: {{dataset: digits, steps: 10, resolution: {HUGE}}}}}\n",
}
HEADER = "model,flops,"
CSV = {
    "columns": HEADER + ",".join(f"m{n}" for n in range(20_000)) + "\na,1e9" + ",1" * 20_000 + "\n",
    "metrics": HEADER + ",".join(f"m{n}" for n in range(1_990)) + "\na,1e9" + ",1" * 1_990 + "\n",
    "one name": HEADER + ",".join("m" for n in range(1_900)) + "\n" + ("a,1e9" + ",1" * 1_900 + "\n") * 100,
    "wrong cells": HEADER + ",".join(f"m{n}" for n in range(400)) + "\n" + ("a,1e9,1" + ",1e999" * 399 + "\n") * 700,
    "rows": HEADER + "m\n" + "".join(f"a{n},1e9,1\n" for n in range(160_000)),
    "an open quote": HEADER + 'm\n"' + "a\n" * 4_900_000,
    "empty lines": HEADER + "m\n" + "\n" * 9_900_000,
    "a long name": HEADER + "m" * 100_000 + "\na,1,1\n",
    "commas": "," * 9_900_000,
    "two words a line": "a 1\n" * 2_400_000,
    "rows of LaTeX": "a & 1 " + "\\\\\n" + "a & 1 \\\\\n" * 1_000_000,
    "titles": "a\n" * 4_900_000,
    "remarks": "# a, b\n" * 1_300_000,
    "bytes": "x" * 11_000_000,
    "a long integer": HEADER + f"steps,m\na,1e9,{LONG},1\n",
}
LINE = '{"model": "a", "flops": 1e9, "m": 1}'
JSON = {
    "brackets": "[" * 9_000_000,
    "lists": "[" + "[]," * 3_000_000 + "[]]",
    "objects": "{}\n" * 3_000_000,
    "one object": "{" + ",".join(f'"m{n}": 1' for n in range(500_000)) + "}",
    "other keys": "".join(LINE.replace("m", f"m{n}") + "\n" for n in range(15_000)),
    "objects within": '{"a": ' * 15_000 + "1" + "}" * 15_000,
    "a long integer": LINE.replace("1e9", LONG),
    "a long text": LINE.replace("a", "a" * 9_900_000),
}
STORES = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM imports; END",
    "recursive view": "DROP VIEW points; CREATE VIEW points AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1"
    " FROM c) SELECT x AS run FROM c",
    "another's view": "CREATE VIEW mine AS SELECT * FROM imports",
    "view for a table": "ALTER TABLE events RENAME TO happened; CREATE VIEW events AS SELECT * FROM happened",
    "text for FLOPs": "UPDATE imports SET flops = 'many'",
    "text for steps": "UPDATE imports SET steps = 'some', params = 'few'",
    "text for a metric": "UPDATE imported SET value = 'low'",
    "text for a time": "UPDATE imports SET at = 'yesterday'",
    "a name of bytes": "UPDATE imports SET name = x'00ff'",
    "no view": "DROP VIEW points",
    "no table": "DROP TABLE imported",
}


def yaml_cases(place: Path) -> Iterator[tuple[str, Case]]:
    (place / "loop").symlink_to("loop")
    for name, text in YAML.items():
        (place / f"{name}.yaml").write_text(text)
        yield name, (["validate", str(place / f"{name}.yaml")], {2})
    for n in range(40):
        (place / f"chain{n}.yaml").write_text(f"extends: chain{n + 1}.yaml\n" + f"k{n}: 1\n" * 100)
    yield "a chain of files", (["validate", str(place / "chain0.yaml")], {2})


def csv_cases(place: Path) -> Iterator[tuple[str, Case]]:
    import pyarrow as pa
    from pyarrow import parquet

    for name, text in CSV.items():
        (place / f"{name}.csv").write_text(text)
        yield name, (["import", str(place / f"{name}.csv"), "--store", str(place / f"{name}.db")], {2, 4})
    rows = ("".join([f"a{n},1e9,1", *(f",{k}.5678901234567" for k in range(399))]) for n in range(700))
    wide = place / "wide.csv"
    wide.write_text(HEADER + ",".join(f"m{n}" for n in range(400)) + "\n" + "\n".join(rows) + "\n")
    yield "many numbers", (["import", str(wide), "--store", str(place / "wide.db")], {0})
    for name, text in JSON.items():
        (place / f"{name}.jsonl").write_text(text)
        yield f"JSON {name}", (["import", str(place / f"{name}.jsonl"), "--store", str(place / f"{name}.db")], {0, 2})
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000), ["x" * 1_000_000])
    columns = {"model": long, "flops": [1e9] * 20_000, "m": [1.0] * 20_000}
    parquet.write_table(pa.table(columns), place / "long.parquet", compression="zstd")
    yield "one text in each row", (["import", str(place / "long.parquet"), "--store", str(place / "long.db")], {2})


def store_cases(place: Path) -> Iterator[tuple[str, Case]]:
    from scalectl.orchestrator.store.foreign import Foreign
    from scalectl.orchestrator.store.records import Records

    foreign = [
        Foreign(f"r{n}", {"name": f"m{n}", "model": "a", "flops": 1e9 * n}, {"error": 1 / n}) for n in range(1, 400)
    ]
    with Records(place / "good.db") as records:
        records.take_in(foreign, "others", "others.csv")
    good = (place / "good.db").read_bytes()
    for name, sql in STORES.items():
        path = place / f"{name}.db"
        path.write_bytes(good)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
        yield f"{name}, checked", (["db", "check", "--store", str(path)], {6})
        yield f"{name}, shown", (["show", "m3", "--store", str(path)], {0, 5, 6})
        yield f"{name}, exported", (["export", "-o", str(place / f"{name}.csv"), "--store", str(path)], {0, 6})
    size = int.from_bytes(good[16:18], "big")
    for page in (2, 9, len(good) // size - 2):
        path = place / f"page{page}.db"
        path.write_bytes(good[: page * size] + b"\x37" * size + good[(page + 1) * size :])
        yield f"page {page}, written to", (["exclude", "m3", "--reason", "odd", "--store", str(path)], {6})
        yield f"page {page}, exported", (["export", "-o", str(place / f"{page}.csv"), "--store", str(path)], {0, 6})


def parquet_cases(place: Path) -> Iterator[tuple[str, Case]]:
    import pyarrow as pa
    from pyarrow import parquet

    tables = {
        "labels of 2^62": {"image": [{"bytes": b"x"}], "label": pa.array([2**62], pa.int64())},
        "labels below 0": {"image": [{"bytes": b"x"}], "label": pa.array([-(2**62)], pa.int64())},
        "labels of text": {"image": [{"bytes": b"x"}], "label": ["x"]},
        "many columns": {f"c{n}": [n] for n in range(5_000)},
        "no rows": {"image": pa.array([], pa.struct([("bytes", pa.binary())])), "label": pa.array([], pa.int64())},
    }
    for name, columns in tables.items():
        parquet.write_table(pa.table(columns), place / f"{name}.parquet")
    whole = (place / "labels of 2^62.parquet").read_bytes()
    contents = {
        "half": whole[: len(whole) // 2],
        "empty": b"",
        "a footer too long": whole[:-8] + b"\xff\xff\xff\x7fPAR1",
    }
    for name, content in contents.items():
        (place / f"{name}.parquet").write_bytes(content)
    for name in (*tables, *contents):
        (place / f"{name}.yaml").write_text(of_files(f"parquet:{place / name}.parquet"))
        yield name, (["validate", str(place / f"{name}.yaml")], {2})


def picture_cases(place: Path) -> Iterator[tuple[str, Case]]:
    contents = {"text": b"not a picture", "empty": b"", "header": b"\x89PNG\r\n\x1a\n"}
    for name, content in contents.items():
        folder = place / name / "class"
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(content)
    deep = place.joinpath("deep", *("d" * 100))
    deep.mkdir(parents=True)
    Image.new("L", (8, 8)).save(deep / "a.png")
    (place / "empty folders" / "a").mkdir(parents=True)
    (place / "links" / "a").mkdir(parents=True)
    (place / "links" / "a" / "b").symlink_to("..")
    (place / "links" / "a" / "c.png").symlink_to("c.png")
    for name in (*contents, "deep", "empty folders", "links"):
        (place / f"{name}.yaml").write_text(of_files(f"folder:{place / name}"))
        yield name, (["validate", str(place / f"{name}.yaml")], {0, 2})


CORPORA: dict[str, Callable[[Path], Iterator[tuple[str, Case]]]] = {
    "yaml": yaml_cases,
    "csv": csv_cases,
    "stores": store_cases,
    "parquet": parquet_cases,
    "pictures": picture_cases,
}
