"""Where a job goes, and what is said of every class that it does not go to."""

import random

import pytest
from hardware_world import A100, BLOCK, H100, RACK, ZONE, machines, node, placed, pod, taken, template, unplaced, wish
from hypothesis import given
from hypothesis import strategies as st

from windlass.operators.training.hardware.answer import Placement
from windlass.operators.training.hardware.placement import place
from windlass.operators.training.hardware.types import DomainStatus


def said(found):
    return {one.name: one.reason for one in found.rejected}


# The filter (C2).


def test_a_job_goes_to_the_first_class_of_its_list_that_has_room():
    nodes = [node("a", gpus=4, model=A100), node("h", gpus=4, model=H100), node("c")]

    assert placed(wish("nvidia-h100", "nvidia-a100", "cpu"), nodes).nodes == ("h",)
    assert placed(wish("nvidia-a100", "nvidia-h100"), nodes).nodes == ("a",)
    assert placed(wish("cpu", "nvidia"), nodes).nodes == ("c",)


def test_what_pods_request_is_no_longer_there():
    nodes = [node("h", gpus=2, model=H100), node("a", gpus=2, model=A100)]
    busy = pod("h", {"nvidia.com/gpu": "1"})

    found = placed(wish("nvidia-h100", "nvidia-a100", devices=2), nodes, [busy])

    assert found.nodes == ("a",)
    assert said(found) == {"nvidia-h100": "InsufficientCapacity"}
    assert "h with too little nvidia.com/gpu free" in str(found.rejected[0])


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_takes_nothing(phase):
    busy = pod("h", {"nvidia.com/gpu": "2"}, phase=phase)

    assert placed(wish("nvidia", devices=2), [node("h", gpus=2)], [busy]).nodes == ("h",)


def test_cpu_and_memory_count_as_devices_do():
    wanted = wish("cpu", of=template(resources={"cpu": "3", "memory": "2Gi"}))
    nodes = [node("a"), node("b", room={"memory": "1Gi"})]

    assert placed(wanted, nodes, [pod("a", {"cpu": "5"})]).nodes == ("a",)
    assert said(unplaced(wanted, nodes, [pod("a", {"cpu": "5001m"})])) == {"cpu": "InsufficientCapacity"}


TAINT = {"key": "team", "value": "x", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param({"unschedulable": True}, "cordoned", id="cordoned"),
        pytest.param({"ready": "Unknown"}, "not ready", id="lost"),
        pytest.param({"taints": [TAINT]}, "with the taint team", id="tainted"),
        pytest.param({"taints": [{**TAINT, "effect": "NoExecute"}]}, "with the taint team", id="no-execute"),
        pytest.param({"conditions": ["GpuDriverWatch"]}, "with the fault GpuDriverWatch", id="faulty"),
        pytest.param({"labels": {"pool": "b"}}, "outside of the node selector", id="elsewhere"),
    ],
)
def test_a_node_that_may_not_be_used_is_left_out_and_told(found, why):
    labels = {"pool": "a"} | found.pop("labels", {})
    wanted = wish("nvidia", of=template(selector={"pool": "a"}))
    nodes = [node("n", gpus=1, labels=labels, **found)]

    rejected = unplaced(wanted, nodes)

    assert rejected.reason == "NoSuitableNode"
    assert f"n {why}" in rejected.message


def test_a_fault_of_the_gpu_driver_does_not_keep_a_cpu_job_away():
    assert placed(wish("cpu"), [node("n", gpus=1, conditions=["GpuDriverWatch"])]).nodes == ("n",)


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "team", "value": "x"},
        {"key": "team", "operator": "Exists"},
        {"operator": "Exists"},
        {"key": "team", "value": "x", "effect": "NoSchedule"},
    ],
    ids=["equal", "exists", "everything", "of-the-effect"],
)
def test_a_taint_that_the_job_tolerates_keeps_nothing_away(toleration):
    assert placed(wish("cpu", of=template(tolerations=[toleration])), [node("n", taints=[TAINT])]).nodes == ("n",)


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "team", "value": "y"},
        {"key": "crew", "operator": "Exists"},
        {"operator": "Exists", "effect": "NoExecute"},
    ],
    ids=["of-another-value", "of-another-key", "of-another-effect"],
)
def test_a_toleration_of_another_taint_does_not_help(toleration):
    assert (
        unplaced(wish("cpu", of=template(tolerations=[toleration])), [node("n", taints=[TAINT])]).reason
        == "NoSuitableNode"
    )


def test_the_taint_that_keeps_gpu_nodes_for_gpu_jobs_is_tolerated_by_these_alone():
    nodes = [node("g", gpus=1, taints=[{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}])]

    assert placed(wish("nvidia"), nodes).nodes == ("g",)
    assert unplaced(wish("cpu"), nodes).reason == "NoSuitableNode"


@pytest.mark.parametrize(
    ("model", "label", "is_it"),
    [
        ("h100", H100, True),
        ("h100", A100, False),
        ("a100", "NVIDIA-A1000", False),
        ("h100-pcie", "NVIDIA-H100-PCIe", True),
    ],
)
def test_a_model_is_whole_words_of_the_label(model, label, is_it):
    found = place(wish(f"nvidia-{model}"), machines(node("n", gpus=1, model=label)), {})

    assert isinstance(found, Placement) == is_it


# No capacity at all (C4).


@pytest.mark.parametrize(
    "nodes", [[], [node("c")], [node("c", room={"nvidia.com/gpu": "0"})]], ids=["none", "cpu", "zero"]
)
def test_devices_that_no_node_has_are_no_capacity_and_no_crash(nodes):
    found = unplaced(wish("nvidia", "amd"), nodes)

    assert found.reason == "NoCapacity"
    assert said(found) == {"nvidia": "NoCapacity", "amd": "NoCapacity"}


def test_a_resource_that_nobody_foresaw_is_asked_for_by_its_name():
    nodes = [node("t", room={"google.com/tpu": "8"})]

    assert placed(wish("google.com/tpu", devices=8), nodes).nodes == ("t",)
    assert unplaced(wish("google.com/tpu", devices=9), nodes).reason == "InsufficientCapacity"


def test_the_reason_that_may_pass_is_told_before_the_one_that_will_not():
    found = unplaced(wish("amd", "nvidia"), [node("g", gpus=1)], [pod("g", {"nvidia.com/gpu": "1"})])

    assert found.reason == "InsufficientCapacity"
    assert said(found) == {"amd": "NoCapacity", "nvidia": "InsufficientCapacity"}


# The score (C2).


def test_the_smallest_remainder_is_taken_so_that_large_rooms_stay_whole():
    nodes = [node("a", gpus=8), node("b", gpus=8)]

    assert placed(wish("nvidia", devices=2), nodes, [pod("b", {"nvidia.com/gpu": "5"})]).nodes == ("b",)


def test_a_cpu_job_leaves_nodes_with_devices_to_those_who_need_them():
    nodes = [node("a", gpus=8), node("b")]

    assert placed(wish("cpu"), nodes).nodes == ("b",)
    assert placed(wish("cpu", of=template(resources={"cpu": "6"})), nodes, [pod("b", {"cpu": "3"})]).nodes == ("a",)
    assert placed(wish("cpu"), nodes, [pod("a", {"nvidia.com/gpu": "8"})]).nodes == ("b",)  # they may come later


def test_a_node_that_would_rather_not_is_taken_last():
    nodes = [node("a", gpus=1, taints=[{"key": "spot", "effect": "PreferNoSchedule"}]), node("b", gpus=4)]

    assert placed(wish("nvidia"), nodes).nodes == ("b",)


def test_of_equal_nodes_the_cheaper_is_taken_and_then_the_first_by_name():
    dear, cheap = {"ai.windlass.dev/cost": "2.5"}, {"ai.windlass.dev/cost": "0.5"}

    assert placed(wish("nvidia"), [node("a", gpus=1, labels=dear), node("b", gpus=1, labels=cheap)]).nodes == ("b",)
    assert placed(wish("nvidia"), [node("b", gpus=1), node("a", gpus=1)]).nodes == ("a",)


def test_a_gang_uses_as_few_nodes_as_it_can():
    nodes = [node("a", gpus=2), node("b", gpus=4), node("c", gpus=2)]

    assert placed(wish("nvidia", pods=4), nodes).nodes == ("b", "b", "b", "b")
    assert placed(wish("nvidia", pods=5), nodes).nodes == ("a", "b", "b", "b", "b")


NODES = st.lists(
    st.builds(
        lambda number, gpus, model, rack, taken: (f"n{number}", gpus, model, rack, taken),
        st.integers(0, 99), st.integers(0, 4), st.sampled_from([H100, A100, None]), st.sampled_from("ab"),
        st.integers(0, 2),
    ),
    max_size=8, unique_by=lambda one: one[0],
)  # fmt: skip
SPECS = st.fixed_dictionaries(
    {"devices": st.integers(1, 3), "pods": st.integers(1, 4), "allowMixed": st.booleans()},
    optional={"topology": st.sampled_from([{"required": "rack"}, {"preferred": "rack"}])},
)


@given(NODES, SPECS, st.randoms(use_true_random=False))
def test_equal_facts_in_any_order_give_the_same_answer_and_never_more_than_there_is(found, spec, shuffled):
    nodes = [node(name, gpus=gpus, model=model, labels={RACK: rack}) for name, gpus, model, rack, _ in found]
    pods = [pod(name, {"nvidia.com/gpu": str(min(busy, gpus))}) for name, gpus, _, _, busy in found]
    wanted = wish("nvidia-h100", "nvidia", **spec)

    answer = place(wanted, machines(*nodes), taken(*pods))
    shuffled.shuffle(nodes)
    shuffled.shuffle(pods)

    assert place(wanted, machines(*nodes), taken(*pods)) == answer
    if not isinstance(answer, Placement):
        assert {one.name for one in answer.rejected} == {"nvidia-h100", "nvidia"}
        return
    free = {name: gpus - min(busy, gpus) for name, gpus, _, _, busy in found}
    facts = {name: (model, rack) for name, _, model, rack, _ in found}
    assert len(answer.nodes) == spec["pods"]
    assert all(answer.nodes.count(name) * spec["devices"] <= free[name] for name in answer.nodes)
    models, racks = zip(*(facts[name] for name in answer.nodes), strict=True)
    assert spec["allowMixed"] or len(set(models)) == 1
    assert spec.get("topology") != {"required": "rack"} or len(set(racks)) == 1


# Topology (C3).

TREE = {"a": ("r1", "b1"), "b": ("r1", "b1"), "c": ("r2", "b1"), "d": ("r3", "b2")}


def tree(gpus=1):
    return [node(name, gpus=gpus, labels={RACK: rack, BLOCK: block, ZONE: "z"}) for name, (rack, block) in TREE.items()]


def test_a_required_domain_holds_all_pods():
    found = placed(wish("nvidia", pods=2, topology={"required": "rack"}), tree())

    assert (found.nodes, found.domain) == (("a", "b"), DomainStatus(RACK, "r1", required=True))


def test_a_required_topology_that_is_not_met_waits_with_its_reason_and_is_never_relaxed():
    found = unplaced(wish("nvidia", pods=3, topology={"required": "rack"}), tree())

    assert found.reason == "TopologyUnmet"
    assert f"no domain of {RACK} holds 3 Pods, though 4 nodes have room for 4" in found.message


@pytest.mark.parametrize(
    ("pods", "domain", "nodes"),
    [
        (2, DomainStatus(RACK, "r1"), ("a", "b")),
        (3, DomainStatus(BLOCK, "b1"), ("a", "b", "c")),
        (4, DomainStatus(ZONE, "z"), ("a", "b", "c", "d")),
    ],
)
def test_a_preferred_topology_walks_up_the_levels(pods, domain, nodes):
    found = placed(wish("nvidia", pods=pods, topology={"preferred": "rack"}), tree())

    assert (found.domain, found.nodes) == (domain, nodes)


def test_of_domains_the_one_with_the_smallest_remainder_is_taken():
    nodes = [node("a", gpus=8, labels={RACK: "r1"}), node("b", gpus=3, labels={RACK: "r2"})]

    assert placed(wish("nvidia", pods=2, topology={"preferred": "rack"}), nodes).nodes == ("b", "b")


def test_a_preferred_topology_ends_with_the_whole_cluster():
    found = placed(wish("nvidia", pods=2, topology={"preferred": "rack"}), [node("a", gpus=1), node("b", gpus=1)])

    assert (found.domain, found.nodes) == (None, ("a", "b"))


def test_a_level_may_be_the_label_itself_known_or_not():
    pods = {"a": "x", "b": "x", "c": "y"}
    nodes = [node(name, gpus=1, labels={"example.com/pod": value, RACK: "r"}) for name, value in pods.items()]

    found = placed(wish("nvidia", pods=2, topology={"required": "example.com/pod"}), nodes)
    assert found.domain == DomainStatus("example.com/pod", "x", required=True)
    assert placed(wish("nvidia", topology={"required": RACK}), nodes).domain.value == "r"


def test_a_required_topology_turns_a_job_to_its_next_class():
    nodes = [*tree(), node("e", labels={RACK: "r9"})]

    found = placed(wish("nvidia", "cpu", pods=3, topology={"required": "rack"}), nodes)

    assert (found.of.name, found.nodes) == ("cpu", ("e", "e", "e"))
    assert said(found) == {"nvidia": "TopologyUnmet"}


# Gangs (C4).


def test_a_gang_is_of_one_model_unless_a_mixture_is_allowed():
    nodes = [node("a", gpus=1, model=A100), node("h", gpus=1, model=H100)]

    found = unplaced(wish("nvidia", pods=2), nodes)
    assert found.reason == "MixedHardware"
    assert "allowMixed" in found.message
    assert placed(wish("nvidia", pods=2, allowMixed=True), nodes).nodes == ("a", "h")
    assert placed(wish("nvidia", pods=2), [*nodes, node("i", gpus=1, model=H100)]).models == (H100,)


def test_a_gang_for_which_there_is_not_enough_says_how_much_there_is():
    found = unplaced(
        wish("nvidia", pods=3), [node("a", gpus=2), node("b", gpus=1)], [pod("b", {"nvidia.com/gpu": "1"})]
    )

    assert found.reason == "InsufficientCapacity"
    assert "room for 2 of 3 Pods" in found.message


# Claims (C1).


def test_claims_are_rejected_where_the_server_or_the_profile_has_none():
    nodes = [node("t", room={"google.com/tpu": "1"})]

    assert unplaced(wish("nvidia", form="DRA"), nodes).reason == "ClaimsNotServed"
    found = unplaced(wish("google.com/tpu", form="DRA", claim_version="resource.k8s.io/v1"), nodes)
    assert found.reason == "ClaimsNotServed"
    assert "knows no DeviceClass" in found.message


def test_a_class_without_devices_needs_no_claims():
    found = placed(wish("nvidia", "cpu", form="DRA"), [node("n")])

    assert (found.of.name, found.form, found.claim_version) == ("cpu", "None", "")


def test_hundreds_of_nodes_are_named_in_short():
    shuffled = random.Random(7)
    nodes = [node(f"n{number}", gpus=1, unschedulable=True) for number in range(300)]
    shuffled.shuffle(nodes)

    assert unplaced(wish("nvidia"), nodes).message == "nvidia: NoSuitableNode: 300 nodes cordoned"
