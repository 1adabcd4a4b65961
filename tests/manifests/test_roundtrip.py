"""Objects in, instances out, and back: every fault in one error, and nothing lost that the server keeps."""

import json

import pytest
from realistic_kinds import (
    Backup,
    DatabaseCluster,
    DatabaseClusterSpec,
    ObjectStore,
    Port,
    Tuning,
    Volume,
)

from windlass.informers import ObjectMeta, structure, unstructure
from windlass.informers.errors import StructureError
from windlass.manifests import Quantity, read, written

BODY = {
    "apiVersion": "data.windlass.example/v1",
    "kind": "DatabaseCluster",
    "metadata": {"name": "db"},
    "spec": {"version": "15", "storage": "10Gi"},
}


def changed(**spec):
    return {**BODY, "spec": {**BODY["spec"], **spec}}


def test_an_object_is_read_with_its_defaults_and_written_as_it_is():
    database = read(
        changed(ports=[{"name": "web"}], backup={"schedule": "0 3 * * *", "store": {"bucket": "b"}}), DatabaseCluster
    )

    assert database.spec.storage == Quantity("10Gi")
    assert database.spec.ports == (Port("web"),)
    assert database.spec.backup == Backup("0 3 * * *", store=ObjectStore("b"))
    assert read(json.dumps(written(database)).encode(), DatabaseCluster) == database


def test_all_faults_are_in_one_message_with_their_paths():
    bad = changed(
        replicas=12,
        version="17",
        ports=[{"name": "A"}],
        backup={"schedule": "short"},
        pool={"max": 7},
        labels={"a": 1},
        nodeIP="10.0.0.300",
    )
    with pytest.raises(StructureError) as caught:
        read(bad, DatabaseCluster)

    assert str(caught.value).startswith("DatabaseCluster: ")
    assert set(caught.value.faults) == {
        "$.spec.replicas: expected an integer from 1 to 9, found 12",
        '$.spec.version: expected one of "14", "15", "16", found "17"',
        '$.spec.ports[0].name: expected text that matches ^[a-z]([-a-z0-9]*[a-z0-9])?$, found "A"',
        "$.spec.backup.schedule: expected at least 9 characters, found 5",
        "$.spec.backup: expected exactly one of store, volume, found none",
        "$.spec.pool.max: expected an integer from 1 to 1000 that is a multiple of 5, found 7",
        "$.spec.labels.a: expected a string, found 1",
        '$.spec.nodeIP: expected text in the format ipv4, found "10.0.0.300"',
    }


def test_an_instance_that_no_server_would_take_is_not_written():
    both = Backup("0 3 * * *", store=ObjectStore("b"), volume=Volume("v"))
    spec = DatabaseClusterSpec("15", Quantity("1Gi"), replicas=0, backup=both)

    with pytest.raises(StructureError, match=r"from 1 to 9, found 0.*exactly one of store, volume, found 2"):
        written(DatabaseCluster(spec=spec, metadata=ObjectMeta(name="x")))


def test_unknown_fields_are_kept_where_the_class_has_a_place_for_them_and_dropped_elsewhere():
    body = changed(tuning={"cacheRatio": 0.25, "walLevel": "replica", "nested": {"a": [None]}}, colour="red")
    database = read(body, DatabaseCluster)

    assert database.spec.tuning == Tuning(0.25, {"walLevel": "replica", "nested": {"a": [None]}})
    assert written(database)["spec"]["tuning"] == body["spec"]["tuning"]
    assert "colour" not in written(database)["spec"]


def test_a_field_called_like_the_place_for_the_rest_is_part_of_the_rest():
    tuning = structure({"others": 1, "cacheRatio": 1}, Tuning)

    assert tuning == Tuning(1.0, {"others": 1})
    assert unstructure(tuning) == {"others": 1, "cacheRatio": 1.0}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", r"\$: expected JSON"),
        (b"[]", r"\$: expected an object, found \[\]"),
        ({**BODY, "kind": "Pod"}, r"\$\.kind: expected DatabaseCluster, found 'Pod'"),
        ({**BODY, "apiVersion": "v1"}, r"\$\.apiVersion: expected data\.windlass\.example/v1, found 'v1'"),
        (changed(replicas=3.5), r"\$\.spec\.replicas: expected an integer from 1 to 9, found 3\.5"),
        (changed(replicas=3.0), r"\$\.spec\.replicas: expected an integer .* for scaling, found 3\.0"),
        ({name: value for name, value in BODY.items() if name != "spec"}, r"\$\.spec: expected a value, found none"),
    ],
)
def test_what_is_no_such_object_is_refused(raw, said):
    with pytest.raises(StructureError, match=said):
        read(raw, DatabaseCluster)
