"""ReplicaSets at once, StatefulSets in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.workloads.replicas import (
    ordinal,
    replica_set_pod,
    replica_set_step,
    stateful_pod,
    stateful_set_step,
)


def owner(replicas=3, **spec):
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "m", "image": "one"}]}}
    metadata = {"name": "w", "namespace": "n", "uid": "u", "generation": 4}
    return {"metadata": metadata, "spec": {"replicas": replicas, "template": template, "serviceName": "svc"} | spec}


def pod(name, *, ready=True, phase="Running", going=False, node="n", labels=None):
    metadata = {"name": name, "labels": {"app": "a"} | (labels or {})} | ({"deletionTimestamp": "t"} if going else {})
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return {"metadata": metadata, "spec": {"nodeName": node} if node else {}, "status": status}


def member(number, one=None, **state):
    made = stateful_pod(one or owner(), number)
    return pod(f"w-{number}", labels=made["metadata"]["labels"], **state)


class TestReplicaSets:
    @pytest.mark.parametrize(
        ("replicas", "there", "missing"), [(3, 0, 3), (3, 2, 1), (3, 3, 0), (0, 0, 0), (None, 0, 1)]
    )
    def test_missing_pods_are_made_at_once(self, replicas, there, missing):
        plan = replica_set_step(owner(replicas), [pod(f"w-{one}") for one in range(there)])
        assert (len(plan.create), plan.delete) == (missing, ())

    def test_pods_that_have_ended_or_are_going_are_replaced(self):
        pods = [pod("a", phase="Failed"), pod("b", going=True), pod("c")]
        plan = replica_set_step(owner(2), pods)
        assert (len(plan.create), plan.delete, plan.status["replicas"]) == (1, (), 1)

    def test_of_too_many_those_go_first_that_have_come_the_shortest_way(self):
        pods = [pod("ready"), pod("unready", ready=False), pod("unbound", ready=False, node="")]
        assert replica_set_step(owner(2), pods).delete == ("unbound",)
        assert replica_set_step(owner(1), pods).delete == ("unbound", "unready")

    def test_its_status_counts(self):
        pods = [pod("a"), pod("b", ready=False), pod("c", labels={"app": "b"})]
        assert replica_set_step(owner(3), pods).status == {
            "replicas": 3,
            "fullyLabeledReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "observedGeneration": 4,
        }

    def test_one_that_is_being_deleted_is_left_to_the_garbage_collector(self):
        one = owner()
        one["metadata"]["deletionTimestamp"] = "t"
        for step in (replica_set_step, stateful_set_step):
            plan = step(one, [])
            assert (plan.create, plan.delete) == ((), ())

    def test_its_pods_are_named_by_the_server(self):
        made = replica_set_pod(owner())
        assert made["metadata"] == {"namespace": "n", "labels": {"app": "a"}, "generateName": "w-"}


class TestStatefulSets:
    def test_a_pod_has_its_ordinal_its_name_and_its_place_in_the_service(self):
        made = stateful_pod(owner(), 2)
        assert made["metadata"]["name"] == made["spec"]["hostname"] == "w-2"
        assert made["spec"]["subdomain"] == "svc"
        assert made["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "w-2"
        assert ordinal(owner(), made) == 2

    @pytest.mark.parametrize("name", ["w", "w-", "w-x", "other-1", "w-1-2x", "v-w-1"])
    def test_a_pod_of_another_name_has_no_ordinal_here(self, name):
        assert ordinal(owner(), {"metadata": {"name": name}}) is None

    @pytest.mark.parametrize(
        ("pods", "create", "delete"),
        [
            ([], (0,), ()),
            ([member(0)], (1,), ()),
            ([member(0, ready=False)], (), ()),
            ([member(0), member(2)], (1,), ()),
            ([member(0), member(1, going=True)], (), ()),
            ([member(0), member(1), member(2)], (), ()),
            ([member(0), member(1), member(2), member(3), member(4)], (), ("w-4",)),
            ([member(0), member(1), member(2), member(3), member(4, going=True)], (), ()),
            ([member(0), member(1, phase="Failed", ready=False)], (), ("w-1",)),
            ([pod("stranger-0")], (0,), ()),
        ],
    )
    def test_each_waits_for_the_one_before_it(self, pods, create, delete):
        plan = stateful_set_step(owner(3), pods)
        assert (plan.create, plan.delete) == (create, delete)

    def test_in_parallel_nobody_waits(self):
        one = owner(3, podManagementPolicy="Parallel")
        plan = stateful_set_step(one, [member(1, ready=False), member(4), member(5)])
        assert (plan.create, plan.delete) == ((0, 2), ("w-4", "w-5"))

    @pytest.mark.parametrize(
        ("strategy", "gone"),
        [
            ({}, ("w-2",)),
            ({"rollingUpdate": {"partition": 2}}, ("w-2",)),
            ({"rollingUpdate": {"partition": 3}}, ()),
            ({"type": "OnDelete"}, ()),
        ],
    )
    def test_an_older_template_is_replaced_from_the_highest_down(self, strategy, gone):
        newer = owner(3, updateStrategy=strategy)
        newer["spec"]["template"]["spec"]["containers"][0]["image"] = "two"
        plan = stateful_set_step(newer, [member(0), member(1), member(2)])
        assert plan.delete == gone
        assert plan.status["updatedReplicas"] is None
        half = [member(0), member(1), member(2, newer)]
        assert stateful_set_step(newer, half).delete == (("w-1",) if strategy == {} else ())


@given(st.integers(0, 4), st.integers(0, 4))
def test_a_stateful_set_whose_plans_are_followed_arrives_and_never_leaves_a_gap(before, after):
    one, pods = owner(before), {}
    for size in (before, after):
        one["spec"]["replicas"] = size
        for _ in range(40):
            plan = stateful_set_step(one, list(pods.values()))
            if not plan.create and not plan.delete:
                break
            assert len(plan.create) + len(plan.delete) == 1
            pods |= {number: member(number) for number in plan.create}
            pods = {number: found for number, found in pods.items() if found["metadata"]["name"] not in plan.delete}
            assert sorted(pods) == list(range(len(pods)))
        assert sorted(pods) == list(range(size))
