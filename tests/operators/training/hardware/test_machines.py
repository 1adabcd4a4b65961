"""What a node has and what a Pod takes of it, as the scheduler counts."""

import json
from decimal import Decimal

from hardware_world import machines, node, pod, taken

from windlass.operators.training.hardware.machines import machine_of
from windlass.operators.training.hardware.tolerations import Taint


def test_a_pod_takes_the_sum_of_its_containers_or_the_most_of_an_init_container():
    init = [{"name": "load", "resources": {"requests": {"cpu": "3", "memory": "1Gi"}}}]

    assert taken(pod("n", {"cpu": "2", "memory": "2Gi"}, init=init))["n"] == {
        "pods": 1, "cpu": 3, "memory": 2 * 2**30,
    }  # fmt: skip


def test_a_sidecar_counts_beside_the_containers_and_beside_init_containers_after_it():
    init = [
        {"name": "early", "resources": {"requests": {"cpu": "5"}}},
        {"name": "sidecar", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
        {"name": "late", "resources": {"requests": {"cpu": "5"}}},
    ]

    assert taken(pod("n", {"cpu": "2"}, init=init))["n"]["cpu"] == 6
    assert taken(pod("n", {"cpu": "2"}, init=init[:2]))["n"]["cpu"] == 5
    assert taken(pod("n", {"cpu": "4500m"}, init=init[:2]))["n"]["cpu"] == Decimal("5.5")


def test_overhead_is_added_and_a_limit_without_a_request_is_one():
    containers = [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": 2}}}]

    assert taken(pod("n", {}, containers=containers, overhead={"cpu": "250m"}))["n"] == {
        "pods": 1, "nvidia.com/gpu": 2, "cpu": Decimal("0.25"),
    }  # fmt: skip


def test_pods_of_a_node_add_up_and_those_without_a_node_take_nothing():
    assert taken(pod("n", {"cpu": "1"}), pod("n", {"cpu": "2"}), pod(None, {"cpu": "4"}))["n"] == {"pods": 2, "cpu": 3}


def test_a_node_without_a_status_is_not_ready_and_has_nothing():
    found = machine_of(json.dumps({"metadata": {"name": "n"}}).encode())

    assert (found.obstacle, found.room, found.cost) == ("not ready", {}, 1)


def test_a_node_that_is_being_deleted_takes_nothing_new():
    leaving = node("n")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert machines(leaving)[0].obstacle == "being deleted"


def test_a_taint_is_read_whole():
    found = machines(node("n", taints=[{"key": "a", "effect": "NoExecute"}, {"key": "b", "value": "c", "effect": "x"}]))

    assert found[0].taints == (Taint("a", "", "NoExecute"), Taint("b", "c", "x"))


def test_a_cost_that_is_no_number_is_as_good_as_none():
    costs = [node("n", labels={"ai.windlass.dev/cost": said}) for said in ("2.5", "cheap", "", "-1", "1.2.3", "nan")]

    assert [one.cost for one in machines(*costs)] == [Decimal("2.5"), 1, 1, 1, 1, 1]
