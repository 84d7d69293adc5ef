"""Records of TensorFlow's datasets, against what protobuf itself writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import EXAMPLE, example

from scalectl.trainer.data.tf_example import BadRecord, features, one_bytes, whole_numbers

WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.binary(max_size=300), st.lists(WHOLE, max_size=5), st.lists(st.floats(width=32), max_size=3))
def test_features_are_those_that_protobuf_wrote(image, labels, other):
    found = features(example(image=image, labels=labels, other=[float(one) for one in other]))
    assert set(found) == {"image", "labels", "other"}
    assert bytes(one_bytes(found["image"])) == image and whole_numbers(found["labels"]) == labels
    assert one_bytes(found["labels"]) is None and whole_numbers(found["image"]) == []


def test_numbers_that_are_not_packed_read_the_same():
    unpacked = b"\x1a\x04\x08\x07\x08\x05"  # field 3: the list; in it twice field 1 as a varint
    assert whole_numbers(memoryview(unpacked)) == [7, 5]


def test_a_feature_without_a_value_is_empty():
    record = EXAMPLE()
    record.features.feature.add(key="label")
    assert whole_numbers(features(record.SerializeToString())["label"]) == []


@given(st.binary(max_size=60))
def test_other_bytes_are_an_example_or_said_to_be_none(record):
    try:
        for feature in features(record).values():
            one_bytes(feature), whole_numbers(feature)
    except BadRecord as error:
        assert str(error) == "not a tf.train.Example"


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_record_that_is_cut_off_is_none(cut):
    with pytest.raises(BadRecord):
        features(example(image=bytes(80), label=[3])[:-cut])
