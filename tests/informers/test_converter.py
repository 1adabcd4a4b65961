"""Names and times between Python and JSON."""

from datetime import UTC, datetime

import attrs
import pytest

from windlass.informers.converter import format_time, json_name, json_names, parse_time
from windlass.informers.typed import ObjectMeta


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("replicas", "replicas"),
        ("ready_replicas", "readyReplicas"),
        ("last_transition_time", "lastTransitionTime"),
        ("from_", "from"),
        ("v1_beta", "v1Beta"),
    ],
)
def test_attribute_names_become_camel_case(attribute, name):
    assert json_name(attribute) == name


def test_the_names_of_a_class_come_in_its_order():
    assert list(json_names(ObjectMeta).values())[:4] == ["name", "namespace", "uid", "resourceVersion"]
    assert set(json_names(ObjectMeta)) == {field.name for field in attrs.fields(ObjectMeta)}


def test_a_time_is_read_as_it_is_written():
    moment = datetime(2026, 11, 23, 14, 41, 32, tzinfo=UTC)

    assert format_time(moment) == "2026-11-23T14:41:32Z"
    assert parse_time("2026-11-23T14:41:32Z") == moment
    assert parse_time("2026-11-23T14:41:32.000000Z") == moment


@pytest.mark.parametrize("text", ["soon", "2026-11-23T14:41:32", ""])
def test_a_text_that_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r"zone|isoformat"):
        parse_time(text)
