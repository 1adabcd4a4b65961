"""Between JSON and attrs classes: strict both ways, every fault at once with its path."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Annotated, Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.informers.errors import StructureError
from windlass.informers.resources import Resource
from windlass.informers.typed import CustomResource, JsonName, ObjectMeta, OwnerReference, structure, unstructure


class Phase(Enum):
    PENDING = "Pending"
    READY = "Ready"


@attrs.frozen
class Port:
    number: int
    protocol: Literal["TCP", "UDP"] = "TCP"


@attrs.frozen
class Spec:
    version: Literal["14", "15"]
    replicas: int = 1
    ratio: float = 0.5
    enabled: bool = True
    ports: tuple[Port, ...] = ()
    names: list[str] = attrs.field(factory=list)
    limits: Mapping[str, int] = attrs.field(factory=dict)
    target: int | str = 80
    pod_ip: Annotated[str | None, JsonName("podIP")] = None
    from_: str = ""
    until: datetime | None = None
    phase: Phase = Phase.PENDING
    anything: Any = None


@attrs.frozen
class Database(CustomResource):
    __windlass_resource__ = Resource("ex.dev", "v1", "Database", "databases")

    spec: Spec


def database(**spec):
    return {"apiVersion": "ex.dev/v1", "kind": "Database", "metadata": {"name": "d", "namespace": "ns"}, "spec": spec}


def faults(value, cls=Database):
    with pytest.raises(StructureError) as caught:
        structure(value, cls)
    return caught.value.faults


def test_every_kind_of_field_is_read_under_its_json_name():
    found = structure(
        database(
            version="14",
            replicas=3,
            ratio=2,
            enabled=False,
            ports=[{"number": 1}, {"number": 2, "protocol": "UDP"}],
            names=["x"],
            limits={"cpu": 4},
            target="http",
            podIP="10.0.0.1",
            **{"from": "here"},
            until="2026-01-01T00:00:00+02:00",
            phase="Ready",
            anything={"a": [1]},
        ),
        Database,
    )

    assert found.spec == Spec(
        version="14",
        replicas=3,
        ratio=2.0,
        enabled=False,
        ports=(Port(1), Port(2, "UDP")),
        names=["x"],
        limits={"cpu": 4},
        target="http",
        pod_ip="10.0.0.1",
        from_="here",
        until=datetime(2025, 12, 31, 22, tzinfo=UTC),
        phase=Phase.READY,
        anything={"a": [1]},
    )
    assert found.metadata == ObjectMeta(name="d", namespace="ns")


def test_fields_that_the_class_does_not_know_are_passed_over():
    assert structure(database(version="14", newField=1), Database).spec == Spec("14")


def test_null_where_none_is_not_meant_is_absent():
    """K-02: the server defaults such a field; Go writes creationTimestamp: null."""
    value = database(version="14", replicas=None, podIP=None)
    value["metadata"]["creationTimestamp"] = None

    assert structure(value, Database).spec == Spec("14")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "$.spec.version: expected one of '14', '15', found nothing (the field is required)"),
        ({"version": "13"}, "$.spec.version: expected one of '14', '15', found \"13\""),
        ({"version": "14", "replicas": "three"}, '$.spec.replicas: expected an integer, found "three"'),
        ({"version": "14", "replicas": 1.5}, "$.spec.replicas: expected an integer, found 1.5"),
        ({"version": "14", "replicas": True}, "$.spec.replicas: expected an integer, found true"),
        ({"version": "14", "ratio": "x"}, '$.spec.ratio: expected a number, found "x"'),
        ({"version": "14", "enabled": 1}, "$.spec.enabled: expected a boolean, found 1"),
        ({"version": "14", "names": "abc"}, '$.spec.names: expected a list, found "abc"'),
        ({"version": "14", "names": [1]}, "$.spec.names[0]: expected a string, found 1"),
        ({"version": "14", "ports": {}}, "$.spec.ports: expected a list, found {}"),
        ({"version": "14", "ports": [{"number": 1}, 2]}, "$.spec.ports[1]: expected an object, found 2"),
        (
            {"version": "14", "ports": [{"protocol": "TCP"}]},
            "$.spec.ports[0].number: expected an integer, found nothing (the field is required)",
        ),
        ({"version": "14", "limits": []}, "$.spec.limits: expected an object, found []"),
        ({"version": "14", "limits": {"cpu": "x"}}, '$.spec.limits.cpu: expected an integer, found "x"'),
        ({"version": "14", "target": []}, "$.spec.target: expected an integer or a string, found []"),
        ({"version": "14", "podIP": 1}, "$.spec.podIP: expected a string, found 1"),
        ({"version": "14", "until": "soon"}, '$.spec.until: expected an RFC 3339 time, found "soon"'),
        ({"version": "14", "phase": "Lost"}, "$.spec.phase: expected one of 'Pending', 'Ready', found \"Lost\""),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else "",
)
def test_a_fault_names_its_path_what_was_expected_and_what_was_found(spec, expected):
    assert faults(database(**spec)) == (expected,)


def test_all_faults_are_told_at_once_with_the_objects_name():
    with pytest.raises(StructureError) as caught:
        structure(database(version="1", replicas="x", names=[1, 2]), Database)

    assert len(caught.value.faults) == 4
    assert str(caught.value).startswith("Database ns/d: $.spec.version:")


def test_what_is_no_object_at_all_is_told_too():
    assert faults([]) == ("$: expected an object, found []",)
    assert faults(b"{")[0].startswith("$: expected JSON, found b'{'")
    assert faults({"metadata": {"name": "d"}, "spec": None}) == ("$.spec: expected an object, found null",)


def test_a_long_value_is_quoted_in_part():
    (fault,) = faults(database(version="x" * 500))

    assert len(fault) < 200
    assert fault.endswith("...")


def test_a_class_that_checks_itself_is_heard():
    @attrs.frozen
    class Odd:
        size: int = attrs.field()

        @size.validator
        def _check(self, attribute, value):
            if value % 2 == 0:
                raise ValueError("an odd number")

    assert faults({"size": 2}, Odd) == ('$: expected an odd number, found {"size":2}',)


def test_writing_gives_json_names_and_leaves_none_out():
    written = unstructure(
        Database(Spec("14", pod_ip=None, from_="x", ports=(Port(1),)), metadata=ObjectMeta("d", "ns"))
    )

    assert written == {
        "apiVersion": "ex.dev/v1",
        "kind": "Database",
        "metadata": {"name": "d", "namespace": "ns"},
        "spec": {
            "version": "14",
            "replicas": 1,
            "ratio": 0.5,
            "enabled": True,
            "ports": [{"number": 1, "protocol": "TCP"}],
            "names": [],
            "limits": {},
            "target": 80,
            "from": "x",
            "phase": "Pending",
        },
    }


def test_empty_metadata_is_not_written():
    """A body with `finalizers: []` would claim the field in a server-side apply."""
    assert unstructure(ObjectMeta(name="d")) == {"name": "d"}


def test_times_are_written_in_utc_with_whole_seconds():
    moment = datetime(2026, 1, 1, 12, 0, 5, 999, tzinfo=timezone(timedelta(hours=2)))

    assert unstructure(Spec("14", until=moment))["until"] == "2026-01-01T10:00:05Z"


def test_a_time_without_a_zone_cannot_be_written():
    with pytest.raises(ValueError, match="without a zone"):
        unstructure(Spec("14", until=datetime(2026, 1, 1)))  # noqa: DTZ001 - the fault under test


def test_a_reference_to_an_owner_is_written_as_the_api_writes_it():
    assert unstructure(OwnerReference("v1", "Pod", "p", "u", controller=True)) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "p",
        "uid": "u",
        "controller": True,
    }


specs = st.builds(
    Spec,
    version=st.sampled_from(["14", "15"]),
    replicas=st.integers(-(2**31), 2**31),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    enabled=st.booleans(),
    ports=st.lists(st.builds(Port, number=st.integers(0, 65535))).map(tuple),
    names=st.lists(st.text()),
    limits=st.dictionaries(st.text(), st.integers(0, 100)),
    target=st.one_of(st.integers(0, 10), st.text()),
    pod_ip=st.none() | st.text(),
    from_=st.text(),
    until=st.none() | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0, year=2026)),
    phase=st.sampled_from(Phase),
)


@given(specs)
def test_writing_and_reading_are_inverse(spec):
    one = Database(spec, metadata=ObjectMeta("d", "ns", labels={"a": "b"}))

    assert structure(unstructure(one), Database) == one
