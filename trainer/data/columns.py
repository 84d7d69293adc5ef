"""The columns of pictures and labels in Arrow's tables, in all layouts that the field's tools write; and class names.

Planning knows their types from a schema. `pictures` and `labels` read batches of them.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from scalectl.trainer.counting import few
from scalectl.trainer.data.classes import difference
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.selection import Selection

IMAGES = ("image", "image.bytes", "img")  # names of columns, the first that exists
LABELS = ("label", "labels", "fine_label", "cls")
FORMER = (
    ("image", "image.bytes"),
    ("label", "labels"),
)  # hashes of files don't name the first of each that can be read


@dataclass(frozen=True)
class Columns:
    """Where the pictures and labels of a table are, and what its features say of the labels."""

    image: str  # a column, or with dots a field of one
    label: str
    several: bool  # labels of an image
    words: bool  # as labels, not numbers
    names: tuple[str, ...] = ()  # of the classes, by number
    spelled: str = ""  # as the hash of the files has them; empty for those that it never had


def columns(schema: pa.Schema, selection: Selection, file: str) -> Columns:
    """The columns of a selection, or those that a schema has for it; raises Unreadable with the ways out."""
    features = _features(schema)
    image = _one(schema, selection.image, IMAGES, lambda name: _is_picture(_type(schema, name)), "image", file)
    label = _one(schema, selection.label, LABELS, lambda name: bool(_names(features.get(name))), "label", file)
    if not _is_picture(_type(schema, image)):
        way = "encoded pictures are bytes, or a struct with bytes"
        if _is_text(_type(schema, image)):
            way += "; a list of paths is read by csv:FILE"
        raise Unreadable(f"{file}: column {image} is {_type(schema, image)}; {way}")
    several, words = _kind(_type(schema, label), label, file)
    names = () if words else _names(features.get(label))
    return Columns(image, label, several, words, names, _spelled(schema, image, label))


def alike(tables: Mapping[str, Columns]) -> Columns:
    """The columns of all files, with the class names that some of them have; raises Unreadable where they differ."""
    (first, table), *more = tables.items()
    for file, other in more:
        if other.several != table.several:
            raise Unreadable(f"{file}: one label for each image here or in {first}, and lists of them in the other")
        if other.words != table.words:
            raise Unreadable(f"{file}: labels are words here or in {first}, and numbers in the other")
        if (other.image, other.label) != (table.image, table.label):
            raise Unreadable(
                f"{file}: columns {other.image} and {other.label} here, and {table.image} and {table.label} in {first};"
                " choose with data.columns"
            )
        if contrary := difference(table.names, f"in {first}", other.names, "here"):
            raise Unreadable(f"{file}: {contrary}")
    spelled = min(one.spelled for one in tables.values())  # where one file has no other columns, no other can be meant
    return replace(next((one for one in tables.values() if one.names), table), spelled=spelled)


def _one(schema: pa.Schema, given: str, known: Iterable[str], fits: Callable[[str], bool], key: str, file: str) -> str:
    """The column that a study names, else the first of the known names, else the only one that fits."""
    if given:
        if _type(schema, given) is None:
            raise Unreadable(f"{file}: no column {given}; there are {_listed(schema)}")
        return given
    for name in known:
        if _type(schema, name) is not None:
            return name
    fitting = [name for name in schema.names if fits(name)]
    if len(fitting) == 1:
        return fitting[0]
    raise Unreadable(
        f"{file}: which column is the {key}? Write data.columns: {{{key}: NAME}}; there are {_listed(schema)}"
    )


def _spelled(schema: pa.Schema, image: str, label: str) -> str:
    """Two columns in words; empty where they are those that a study which names none has always read."""
    own = image if image in schema.names else image.removesuffix(".bytes")  # a struct, and the bytes in it
    first = [
        next((name for name in names if fits(_type(schema, name))), "")
        for names, fits in zip(FORMER, (_is_picture, _is_label), strict=True)
    ]
    return "" if [own, label] == first else f"columns {image} {label}"


def _listed(schema: pa.Schema) -> str:
    return few([f"{field.name} ({_short(field.type)})" for field in schema])


def _short(column_type: Any) -> str:
    text = str(_plain(column_type))
    return "struct" if text.startswith("struct") else text


def _type(schema: pa.Schema, name: str) -> Any:
    """The type of a column, or of a field in one; None where there is none or several of the name."""
    if name in schema.names:
        return _plain(schema.field(name).type) if schema.names.count(name) == 1 else None
    above, _, field = name.rpartition(".")
    if not above or (outer := _type(schema, above)) is None or not pa.types.is_struct(outer):
        return None
    number = outer.get_field_index(field)
    return None if number < 0 else _plain(outer.field(number).type)


def _plain(column_type: Any) -> Any:
    """The type that values have once extensions, dictionaries and runs are taken away."""
    while True:
        if isinstance(column_type, pa.BaseExtensionType):
            column_type = column_type.storage_type
        elif pa.types.is_dictionary(column_type) or pa.types.is_run_end_encoded(column_type):
            column_type = column_type.value_type
        else:
            return column_type


def _is_text(column_type: Any) -> bool:
    return any(test(column_type) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_bytes(column_type: Any) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(test(column_type) for test in tests)


def _is_picture(column_type: Any) -> bool:
    if column_type is None:
        return False
    if pa.types.is_struct(column_type) and (number := column_type.get_field_index("bytes")) >= 0:
        column_type = _plain(column_type.field(number).type)
    return _is_bytes(column_type)


def _is_list(column_type: Any) -> bool:
    kinds = (pa.ListType, pa.LargeListType, pa.FixedSizeListType, pa.ListViewType, pa.LargeListViewType)
    return isinstance(column_type, kinds)


def _item(column_type: Any) -> Any:
    """The type of one label, of those in lists too."""
    return _plain(column_type.value_type) if _is_list(column_type) else column_type


def _is_label(column_type: Any) -> bool:
    if column_type is None:
        return False
    item = _item(column_type)
    return _is_text(item) or pa.types.is_integer(item) or pa.types.is_boolean(item)


def _kind(column_type: Any, name: str, file: str) -> tuple[bool, bool]:
    """Whether labels come in lists, and whether they are words; raises Unreadable where they can't be labels."""
    if not _is_label(column_type):
        way = (
            "labels are whole numbers, words, or lists of them: write the column anew, or name another in data.columns"
        )
        raise Unreadable(f"{file}: column {name} is {column_type}; {way}")
    return _is_list(column_type), _is_text(_item(column_type))


def _features(schema: pa.Schema) -> Mapping[str, Any]:
    """The features that Hugging Face's datasets keep in a schema; none where they are missing or broken."""
    try:
        kept = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = kept["info"]["features"]
    except (ValueError, TypeError, LookupError):
        return {}
    return features if isinstance(features, dict) else {}


def _names(feature: Any) -> tuple[str, ...]:
    """The class names of a feature, or of the lists of one; none where it has none."""
    while not (isinstance(feature, dict) and "names" in feature):
        if isinstance(feature, list) and feature:
            feature = feature[0]
        elif isinstance(feature, dict) and "feature" in feature:
            feature = feature["feature"]
        else:
            return ()
    names = feature["names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)


def pictures(batch: pa.RecordBatch | pa.Table, name: str, file: str) -> Any:
    """The encoded pictures of a batch as an array of bytes; raises Unreadable where there are only their paths."""
    images = column(batch, name)
    if pa.types.is_struct(images.type):
        paths = images
        images = _decoded(pc.struct_field(images, "bytes"))
        if paths.type.get_field_index("path") >= 0 and len(images) and images.null_count == len(images):
            known = pc.struct_field(paths, "path").drop_null()
            if len(known):
                raise Unreadable(
                    f"{file}: column {name} has the paths of pictures and not their bytes, as to_parquet writes them:"
                    f" such as {known[0].as_py()}; save_to_disk and push_to_hub put the bytes in"
                )
    return images.cast(pa.binary())


def labels(batch: pa.RecordBatch | pa.Table, name: str, numbers: Mapping[str, int] | None) -> Any:
    """The labels of a batch as whole numbers, or lists of them; words become their `numbers`."""
    values = column(batch, name)
    if not _is_list(values.type):
        return _whole(values, numbers)
    counts = pc.fill_null(pc.list_value_length(values), 0).cast(pa.int32())
    ends = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(counts)])
    return pa.ListArray.from_arrays(ends, _whole(flat(values), numbers))


def flat(values: Any) -> Any:
    """The labels of all lists, one after the other; an array without lists as it is."""
    return _decoded(pc.list_flatten(values)) if _is_list(values.type) else values


def _whole(values: Any, numbers: Mapping[str, int] | None) -> Any:
    if numbers is None:
        return values.cast(pa.int64())
    positions = pc.index_in(values.cast(pa.string()), pa.array(list(numbers), pa.string()))
    return pc.if_else(values.is_null(), None, positions.cast(pa.int64()))


def column(batch: pa.RecordBatch | pa.Table, name: str) -> Any:
    """A column of a batch, or a field of one, as one array of plain values."""
    if name in batch.schema.names:
        values = batch.column(name)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        return _decoded(values)
    above, _, field = name.rpartition(".")
    return _decoded(pc.struct_field(column(batch, above), field))


def _decoded(values: Any) -> Any:
    """An array without extensions, dictionaries and runs."""
    while True:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        elif pa.types.is_run_end_encoded(values.type):
            values = pc.run_end_decode(values)
        else:
            return values
