"""Files of small pictures: ArrayRecord and TFRecord files, datasets as TFDS prepares them, and tar shards."""

import io
import json
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from pictures import grey

FIELDS = {  # of tensorflow/core/example/{example,feature}.proto: number, name, type, repeated
    "BytesList": [(1, "value", "bytes", True)],
    "FloatList": [(1, "value", "float", True)],
    "Int64List": [(1, "value", "int64", True)],
    "Feature": [
        (1, "bytes_list", "BytesList", False),
        (2, "float_list", "FloatList", False),
        (3, "int64_list", "Int64List", False),
    ],
    "Features": [(1, "feature", "Features.Entry", True)],
    "Example": [(1, "features", "Features", False)],
}


def messages() -> Any:
    """The message Example, made by protobuf itself; a map is a repeated entry of key and value."""
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"bytes": kinds.TYPE_BYTES, "float": kinds.TYPE_FLOAT, "int64": kinds.TYPE_INT64}
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            made = message.field.add(number=number, name=field, label=label)
            made.type = scalars.get(kind, kinds.TYPE_MESSAGE)
            if kind not in scalars:
                made.type_name = f".t.{kind}"
        if name == "Features":
            entry = message.nested_type.add(name="Entry")
            entry.field.add(number=1, name="key", type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
            value = entry.field.add(number=2, name="value", type=kinds.TYPE_MESSAGE, label=kinds.LABEL_OPTIONAL)
            value.type_name = ".t.Feature"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


EXAMPLE = messages()


def example(**features: bytes | Sequence[int] | Sequence[float]) -> bytes:
    """A record; bytes, whole numbers or others become the list of their kind."""
    made = EXAMPLE()
    for name, value in features.items():
        entry = made.features.feature.add(key=name)
        if isinstance(value, bytes):
            entry.value.bytes_list.value.append(value)
        elif all(isinstance(one, int) for one in value):
            entry.value.int64_list.value.extend(value)
        else:
            entry.value.float_list.value.extend(value)
    return made.SerializeToString()


def greys(levels: Sequence[int], classes: int = 3) -> list[bytes]:
    """Records of pictures of these levels of grey; the class of each is its level modulo the classes."""
    return [example(image=grey(level), label=[level % classes], id=b"no picture") for level in levels]


def array_record(file: Path, records: Sequence[bytes]) -> Path:
    """Write records as TFDS does; skips where there is no array_record."""
    module = pytest.importorskip("array_record.python.array_record_module")
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = module.ArrayRecordWriter(str(file), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()
    return file


def tfrecord(file: Path, records: Sequence[bytes]) -> Path:
    """Write records with the lengths and places of checksums of a TFRecord file; the checksums are zero."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(struct.pack("<QI", len(one), 0) + one + bytes(4) for one in records))
    return file


def shards(file: Path, samples: Sequence[Mapping[str, bytes]]) -> str:
    """Samples as a source of tar shards."""
    with tarfile.open(file, "w") as shard:
        for number, sample in enumerate(samples):
            for ending, content in sample.items():
                member = tarfile.TarInfo(f"{number:04d}.{ending}")
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))
    return f"webdataset:{file}"


WRITERS = {"array_record": array_record, "tfrecord": tfrecord}


def dataset(home: Path, splits: dict[str, list[Sequence[bytes]]], form: str, label: Any, version: str) -> Path:
    """Write a dataset `small` as TFDS 4.9 lays it out, each split in shards of its own records."""
    folder = home / "small" / version
    described = []
    for name, shards in splits.items():
        for number, records in enumerate(shards):
            WRITERS[form](folder / f"small-{name}.{form}-{number:05d}-of-{len(shards):05d}", records)
        lengths = [str(len(records)) for records in shards]
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        described.append({"name": name, "shardLengths": lengths, "numBytes": "1", "filepathTemplate": template})
    info = {"fileFormat": form, "name": "small", "version": version, "splits": described}
    features = {"featuresDict": {"features": {"image": {"image": {"dtype": "uint8"}}} | label}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(features))
    return folder
