"""Which Node a Pod goes to, and why to none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.workloads.nodes import NodeSpec, Taint
from windlass.envtest.workloads.scheduling import choose_node, quantity, requests_of, tolerates, why_unschedulable

GPU = "nvidia.com/gpu"


def node(name="n", *, ready=True, unschedulable=False, **spec):
    made = NodeSpec(name, **spec)
    body = made.body() | {"status": made.status("2026-08-01T12:00:00Z")}
    body["status"]["conditions"][0]["status"] = "True" if ready else "False"
    if unschedulable:
        body["spec"]["unschedulable"] = True
    return body


def pod(*, on=None, phase="Running", selector=None, tolerations=(), **requests):
    requests = {name.replace("gpu", GPU): amount for name, amount in requests.items()}
    spec = {"containers": [{"name": "m", "resources": {"requests": requests}}], "tolerations": list(tolerations)}
    spec |= {"nodeSelector": selector} if selector else {}
    spec |= {"nodeName": on} if on else {}
    return {"metadata": {"name": "p"}, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1500m", "1.5"), ("2", "2"), ("2Gi", 2 * 2**30), ("1e3", 1000), ("1E", 10**18), ("1Ei", 2**60), ("0.5", "0.5"),
        ("100k", 100_000), (4, 4), ("5n", "5e-9"), ("3u", "3e-6"), ("-1", -1), ("", 0), ("nonsense", 0),
    ],
)  # fmt: skip
def test_a_quantity_is_a_number(text, number):
    assert quantity(text) == Decimal(number)


def test_what_a_pod_asks_for_is_the_sum_of_its_containers_or_the_most_of_an_init_container():
    body = {
        "spec": {
            "containers": [
                {"resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2", GPU: "1"}}},
                {"resources": {"requests": {"cpu": "1"}}},
                {},
            ],
            "initContainers": [
                {"resources": {"requests": {"cpu": "4"}}},
                {"resources": {"requests": {"memory": "1Ki"}}},
            ],
        }
    }
    assert requests_of(body) == {"pods": 1, "cpu": 4, GPU: 1, "memory": 1024}


@pytest.mark.parametrize(
    ("toleration", "is_tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "operator": "Equal", "value": "v", "effect": ""}, True),
        ({"key": "k", "value": "other"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "", "value": "v"}, False),
    ],
)
def test_a_toleration_is_for_the_taints_that_it_names(toleration, is_tolerated):
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    assert tolerates([toleration], taint) is is_tolerated
    assert tolerates([{"key": "unrelated"}, toleration], taint) is is_tolerated
    assert not tolerates([], taint)


@pytest.mark.parametrize(
    ("one", "wanting", "bound", "obstacle"),
    [
        (node(ready=False), pod(), [], "1 node(s) were not ready"),
        (node(unschedulable=True), pod(), [], "1 node(s) were unschedulable"),
        (node(taints=[Taint("k", "v")]), pod(), [], "1 node(s) had taint {k: v}, that the pod didn't tolerate"),
        (node(taints=[Taint("k", "", "NoExecute")]), pod(), [], "1 node(s) had taint {k: }, that the pod didn't tolerate"),  # noqa: E501
        (node(), pod(selector={"a": "b"}), [], "1 node(s) didn't match Pod's node selector"),
        (node(), pod(gpu="1"), [], f"1 Insufficient {GPU}"),
        (node(capacity={GPU: "2"}), pod(gpu="2"), [pod(on="n", gpu="1")], f"1 Insufficient {GPU}"),
        (node(capacity={"pods": "1"}), pod(), [pod(on="n")], "1 Too many pods"),
        (node(), pod(cpu="8001m"), [], "1 Insufficient cpu"),
    ],
)  # fmt: skip
def test_a_pod_stays_where_it_is_when_a_node_will_not_do(one, wanting, bound, obstacle):
    assert choose_node(wanting, [one], bound) is None
    assert why_unschedulable(wanting, [one], bound) == f"0/1 nodes are available: {obstacle}."
    assert (
        choose_node(wanting, [one, node("other", capacity={GPU: "9", "cpu": "99"}, labels={"a": "b"})], bound)
        == "other"
    )


@pytest.mark.parametrize(
    ("one", "wanting", "bound"),
    [
        (node(taints=[Taint("k", effect="PreferNoSchedule")]), pod(), []),
        (node(taints=[Taint("k", "v")]), pod(tolerations=[{"key": "k", "operator": "Exists"}]), []),
        (node(labels={"a": "b"}), pod(selector={"a": "b"}), []),
        (node(capacity={GPU: "2"}), pod(gpu="2"), [pod(on="n", gpu="2", phase="Succeeded"), pod(on="m", gpu="9")]),
        (node(), pod(gpu="0"), []),
    ],
)
def test_a_pod_goes_where_nothing_stands_in_its_way(one, wanting, bound):
    assert choose_node(wanting, [one], bound) == "n"


def test_without_nodes_there_is_nothing_to_count():
    assert choose_node(pod(), [], []) is None
    assert why_unschedulable(pod(), [], []) == "no nodes available to schedule pods"


def test_obstacles_are_counted():
    nodes = [node("a", ready=False), node("b", ready=False), node("c")]
    said = why_unschedulable(pod(gpu="1"), nodes, [])
    assert said == f"0/3 nodes are available: 1 Insufficient {GPU}, 2 node(s) were not ready."


@given(st.lists(st.integers(1, 3), max_size=12), st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_no_node_is_ever_given_more_than_it_has_and_no_pod_waits_beside_room_for_it(wishes, sizes):
    nodes = [node(f"n{number}", capacity={GPU: str(size)}) for number, size in enumerate(sizes)]
    bound = []
    for wish in wishes:
        name = choose_node(pod(gpu=str(wish)), nodes, bound)
        used = {one["metadata"]["name"]: 0 for one in nodes}
        for one in bound:
            used[one["spec"]["nodeName"]] += int(requests_of(one)[GPU])
        room = {f"n{number}": size - used[f"n{number}"] for number, size in enumerate(sizes)}
        if name is None:
            assert all(left < wish for left in room.values())
        else:
            assert room[name] >= wish
            bound.append(pod(on=name, gpu=str(wish)))
