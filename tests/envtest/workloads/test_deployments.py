"""A new template comes in without a gap, and within the bounds."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.workloads.deployments import REVISION, _bounds, deployment_step, replica_set_of

NOW = "2026-08-01T12:00:00Z"


def owner(replicas=4, image="one", **spec):
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "m", "image": image}]}}
    metadata = {"name": "d", "namespace": "n", "uid": "u", "generation": 2}
    selector = {"matchLabels": {"app": "a"}}
    return {"metadata": metadata, "spec": {"replicas": replicas, "selector": selector, "template": template} | spec}


def made(one, size, *, available=None, revision=1):
    """The ReplicaSet of a Deployment, with as many Pods as it wants, and so many of them available."""
    found = copy.deepcopy(replica_set_of(one, size, revision))
    found["metadata"]["creationTimestamp"] = f"2026-08-01T00:00:{revision:02}Z"
    found["status"] = {
        "replicas": size,
        "readyReplicas": size,
        "availableReplicas": size if available is None else available,
    }
    return found


def name(one):
    return replica_set_of(one, 0, 1)["metadata"]["name"]


def reasons(plan):
    return {found["type"]: (found["status"], found["reason"]) for found in plan.status["conditions"]}


def test_the_first_replica_set_has_its_full_size_and_the_templates_hash():
    plan = deployment_step(owner(), [], NOW)
    assert (plan.create, plan.scale) == (4, ())
    found = replica_set_of(owner(), 4, 3)
    mark = found["metadata"]["labels"]["pod-template-hash"]
    assert found["metadata"]["name"] == f"d-{mark}"
    assert found["spec"]["selector"]["matchLabels"] == {"app": "a", "pod-template-hash": mark}
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": "a", "pod-template-hash": mark}
    assert found["metadata"]["annotations"] == {REVISION: "3"}
    assert name(owner(replicas=9)) == name(owner()) != name(owner(image="two"))


def test_a_change_of_size_is_a_change_of_the_one_replica_set():
    assert deployment_step(owner(6), [made(owner(), 4)], NOW).scale == ((name(owner()), 6),)
    assert deployment_step(owner(1), [made(owner(), 4)], NOW).scale == ((name(owner()), 1),)


def test_a_rolling_update_begins_with_the_surge_and_ends_without_the_old():
    old, new = made(owner(), 4), owner(image="two")
    assert deployment_step(new, [old], NOW).create == 1, "25 % of 4 more"
    plan = deployment_step(new, [old, made(new, 1, available=0, revision=2)], NOW)
    assert dict(plan.scale) == {name(owner()): 3}, "25 % of 4 may be missing"


def test_of_old_pods_that_never_became_available_go_as_many_as_are_not_needed():
    old, new = made(owner(), 4, available=0), owner(image="two")
    plan = deployment_step(new, [old, made(new, 1, available=0, revision=2)], NOW)
    assert dict(plan.scale) == {name(owner()): 3}, "three must be able to become available beside the new one"
    plan = deployment_step(new, [old, made(new, 1, revision=2)], NOW)
    assert dict(plan.scale) == {name(owner()): 2}


def test_what_is_paused_or_being_deleted_keeps_its_size():
    assert deployment_step(owner(9, paused=True), [made(owner(), 4)], NOW).scale == ()
    one = owner(9)
    one["metadata"]["deletionTimestamp"] = NOW
    assert deployment_step(one, [], NOW).create is None


def test_recreation_waits_until_the_old_pods_are_gone():
    new, old = owner(image="two", strategy={"type": "Recreate"}), made(owner(), 4)
    assert deployment_step(new, [old], NOW).create == 0
    assert dict(deployment_step(new, [old, made(new, 0)], NOW).scale) == {name(owner()): 0}
    going = made(owner(), 0) | {"status": {"replicas": 1}}
    assert deployment_step(new, [going, made(new, 0)], NOW).scale == ()
    assert dict(deployment_step(new, [made(owner(), 0), made(new, 0)], NOW).scale) == {name(new): 4}


def test_its_conditions_have_the_reasons_of_the_real_ones():
    one = owner()
    assert reasons(deployment_step(one, [], NOW)) == {
        "Available": ("False", "MinimumReplicasUnavailable"),
        "Progressing": ("True", "NewReplicaSetCreated"),
    }
    assert reasons(deployment_step(one, [made(one, 4, available=3)], NOW)) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "ReplicaSetUpdated"),
    }
    done = deployment_step(one, [made(one, 4)], NOW)
    assert reasons(done)["Progressing"] == ("True", "NewReplicaSetAvailable")
    assert done.status["observedGeneration"] == 2
    assert done.status["unavailableReplicas"] is None


def test_conditions_keep_their_times_until_they_change():
    one = owner()
    one["status"] = deployment_step(one, [made(one, 4, available=3)], "earlier").status
    same = deployment_step(one, [made(one, 4, available=3)], "later").status["conditions"]
    assert same == one["status"]["conditions"]
    done = {found["type"]: found for found in deployment_step(one, [made(one, 4)], "later").status["conditions"]}
    times = (done["Progressing"]["lastTransitionTime"], done["Progressing"]["lastUpdateTime"])
    assert times == ("earlier", "later"), "its status is still True"


@pytest.mark.parametrize(("limit", "gone"), [(None, 0), (2, 1), (0, 3)])
def test_old_replica_sets_are_forgotten_beyond_the_limit_the_oldest_first(limit, gone):
    old = [made(owner(image=str(number)), 0, revision=number + 1) for number in range(3)]
    spec = {} if limit is None else {"revisionHistoryLimit": limit}
    plan = deployment_step(owner(**spec), [*old, made(owner(), 4, revision=9)], NOW)
    assert plan.delete == tuple(one["metadata"]["name"] for one in old[:gone])


BOUND = st.one_of(st.integers(0, 3), st.sampled_from(["0%", "25%", "50%", "100%"]))


@given(st.integers(0, 6), BOUND, BOUND, st.randoms(use_true_random=False))
def test_a_rolling_update_arrives_within_its_bounds(size, surge, unavailable, rng):
    """Pods become available one by one in any order; at no time are there too many or too few."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    old, new = owner(size, strategy=strategy), owner(size, image="two", strategy=strategy)
    sets = [made(old, size)]
    at_most, at_least = _bounds(new, size)
    for _ in range(80):
        plan = deployment_step(new, sets, NOW)
        if plan.create is not None:
            sets.append(made(new, plan.create, available=0, revision=2))
        for changed, wanted in plan.scale:
            (one,) = (found for found in sets if found["metadata"]["name"] == changed)
            one["spec"]["replicas"] = one["status"]["replicas"] = wanted
            one["status"]["availableReplicas"] = min(one["status"]["availableReplicas"], wanted)
        assert sum(one["spec"]["replicas"] for one in sets) <= at_most
        assert sum(one["status"]["availableReplicas"] for one in sets) >= at_least
        waiting = [one for one in sets if one["status"]["availableReplicas"] < one["spec"]["replicas"]]
        if waiting:
            rng.choice(waiting)["status"]["availableReplicas"] += 1
        elif plan.create is None and not plan.scale:
            break
    assert {one["metadata"]["name"]: one["spec"]["replicas"] for one in sets} == {name(old): 0} | {name(new): size}
