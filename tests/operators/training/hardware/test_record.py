"""What is on record of a placement, and that it is enough to make the same Pod again."""

import json

import attrs
import pytest
from hardware_world import A100, H100, RACK, REGISTRY, node, placed, template, unplaced, wish

from windlass.informers.typed import structure, unstructure
from windlass.operators.errors import HardwareInvalid
from windlass.operators.training.hardware import record
from windlass.operators.training.hardware.rendering import claim_template, dress
from windlass.operators.training.hardware.types import HardwareStatus

NODES = [
    node("g", model=H100, gpus=4, labels={RACK: "r1"}, room={"gpu.nvidia.com": "4"}),
    node("h", model=H100, gpus=4, labels={RACK: "r1"}, room={"gpu.nvidia.com": "4"}),
    node("a", model=A100, gpus=4, labels={RACK: "r2"}),
]
WISHES = {
    "model": wish("nvidia-h100", devices=2),
    "gang": wish("nvidia", pods=6, topology={"required": "rack"}),
    "preferred": wish("nvidia", pods=9, allowMixed=True, topology={"preferred": "rack"}),
    "claimed": wish("nvidia-h100", form="DRA", claim_version="resource.k8s.io/v1beta2"),
    "cpu": wish("cpu", cpu={"threads": 3, "batchSize": 8}),
    "resource": wish("nvidia.com/gpu"),
}


@pytest.mark.parametrize("name", WISHES)
def test_a_pod_made_from_the_record_is_the_one_that_was_placed_byte_for_byte(name):
    found = attrs.evolve(placed(WISHES[name], NODES), claim="job-1")
    status = structure(unstructure(record.placed(found, 1)), HardwareStatus)  # there and back through the API server

    again = record.recorded(WISHES[name].spec, status, REGISTRY, claim="job-1")

    assert json.dumps(dress(template(), again)) == json.dumps(dress(template(), found))
    assert claim_template(again, "n") == claim_template(found, "n")


def test_the_record_tells_what_was_chosen_and_why_not_the_others():
    found = record.placed(placed(wish("amd", "nvidia-h100"), NODES), 3)

    assert (found.attempt, found.class_, found.form, found.models, found.nodes) == (
        3, "nvidia-h100", "DevicePlugin", (H100,), ("g",),
    )  # fmt: skip
    assert found.explanation == (
        "amd: NoCapacity: none of 3 nodes has amd.com/gpu",
        "nvidia-h100: Chosen: 1 Pod on g, 1 nvidia.com/gpu each",
    )


def test_a_job_without_a_place_has_every_reason_on_record_and_no_class():
    found = record.unplaced(unplaced(wish("amd", "gaudi"), NODES), 1)

    assert found.class_ == ""
    assert found.message.startswith("NoCapacity: ")
    assert [line.split(":")[0] for line in found.explanation] == ["amd", "gaudi"]


def test_however_many_nodes_there_are_the_record_stays_short():
    taints = [{"key": f"a-key-that-somebody-chose-{number}", "effect": "NoSchedule"} for number in range(400)]
    odd = [node(f"a-node-with-a-long-name-{number}", gpus=1, taints=[taint]) for number, taint in enumerate(taints)]
    many = [node(f"node-{number:03}", gpus=1) for number in range(100)]

    nothing = record.unplaced(unplaced(wish("nvidia", "amd"), odd), 1)
    gang = record.placed(placed(wish("nvidia", pods=100), many), 1)

    assert len(nothing.message) <= 1024
    assert all(len(line) <= 240 for line in (*nothing.explanation, *gang.explanation))
    assert len(gang.nodes) == 16
    assert len(json.dumps(unstructure(nothing))) < 4096


def test_a_class_that_nobody_knows_any_more_is_an_error():
    gone = HardwareStatus(attempt=1, class_="tpu")

    with pytest.raises(HardwareInvalid, match="'tpu'"):
        record.recorded(wish("cpu").spec, gone, REGISTRY, claim="x")


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        pytest.param(wish("nvidia-h100"), False, id="the-same-on-another-node"),
        pytest.param(wish("cpu"), True, id="another-class"),
        pytest.param(wish("nvidia-a100"), True, id="another-model"),
        pytest.param(wish("nvidia-h100", topology={"required": "rack"}), True, id="now-in-a-domain"),
        pytest.param(wish("nvidia-h100", topology={"preferred": "rack"}), False, id="rather-in-a-domain"),
    ],
)
def test_a_pod_that_waits_is_moved_only_where_it_could_not_go_before(other, differs):
    before = record.placed(placed(wish("nvidia-h100"), NODES[:1]), 1)

    assert record.differs(before, placed(other, NODES[1:])) == differs


def test_each_record_replaces_the_one_before_whole():
    """A merge patch cannot remove what a newer record does not mention, so each has every field."""
    records = [
        record.placed(placed(WISHES["gang"], NODES), 1),
        record.placed(placed(WISHES["cpu"], NODES), 2),
        record.unplaced(unplaced(wish("amd"), NODES), 3),
    ]

    fields = {json.dumps(sorted(unstructure(one))) for one in records}
    assert len(fields) == 1
    assert "null" not in json.dumps([unstructure(one) for one in records])
