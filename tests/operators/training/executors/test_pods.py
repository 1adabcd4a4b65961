"""A Pod is rendered from its workload, and its end read from its status."""

from datetime import UTC, datetime

import attrs
import pytest
from attempts import RUN, WORKLOAD, pod

from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.pods import exit_of, may_write, pod_template, waiting_for

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def target(reason):
    return {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason}]}


def test_a_template_says_nothing_that_was_not_asked_for():
    found = pod_template(WORKLOAD, RUN, {"A": "1"})

    assert found["spec"] == {
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "trainer",
                "image": "example.com/trainer:1",
                "command": ["python", "train.py"],
                "env": [{"name": "A", "value": "1"}],
            }
        ],
    }
    assert found["metadata"]["labels"] == {"ai.windlass.dev/run": RUN.id, "ai.windlass.dev/attempt": "2"}


def test_everything_of_the_workload_is_in_its_place():
    full = attrs.evolve(
        WORKLOAD,
        args=("--fast",),
        env=({"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},),
        env_from=({"secretRef": {"name": "keys"}},),
        resources={"limits": {"nvidia.com/gpu": "1"}},
        volumes=({"name": "runs", "persistentVolumeClaim": {"claimName": "runs"}},),
        volume_mounts=({"name": "runs", "mountPath": "/runs"},),
        service_account_name="trainer",
        image_pull_secrets=({"name": "registry"},),
        node_selector={"zone": "a"},
        tolerations=({"key": "gpu", "operator": "Exists"},),
        labels={"team": "a"},
        annotations={"note": "b"},
    )

    found = pod_template(full, RUN, {"A": "1"})

    container = found["spec"]["containers"][0]
    assert container["args"] == ["--fast"]
    assert [one["name"] for one in container["env"]] == ["B", "A"]
    assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert container["volumeMounts"] == [{"name": "runs", "mountPath": "/runs"}]
    assert found["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "runs"}
    assert (found["spec"]["serviceAccountName"], found["spec"]["nodeSelector"]) == ("trainer", {"zone": "a"})
    assert found["spec"]["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert found["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert found["metadata"]["labels"]["team"] == "a"
    assert found["metadata"]["annotations"]["note"] == "b"


def test_a_variable_or_label_of_ours_is_not_to_be_overwritten():
    """A10, A11: a spec that could choose the token or the run could write as another attempt."""
    forged = attrs.evolve(
        WORKLOAD, env=({"name": "WINDLASS_ATTEMPT", "value": "x"},), labels={"ai.windlass.dev/run": "x"}
    )

    found = pod_template(forged, RUN, {"WINDLASS_ATTEMPT": RUN.op_id})

    assert found["spec"]["containers"][0]["env"][-1] == {"name": "WINDLASS_ATTEMPT", "value": RUN.op_id}
    assert found["metadata"]["labels"]["ai.windlass.dev/run"] == RUN.id


@pytest.mark.parametrize(
    ("pods", "found"),
    [
        ([], Exit()),
        ([pod()], Exit()),
        ([pod(phase="Failed", code=3)], Exit(3, "", "Pod digits-a")),
        ([pod(phase="Failed", code=137, reason="OOMKilled")], Exit(137, "OOMKilled", "Pod digits-a")),
        (
            [pod(phase="Failed", reason="Evicted", message="low on memory", containerStatuses=[])],
            Exit(None, "", "Pod digits-a: low on memory"),
        ),
    ],
    ids=["no Pods", "one that runs", "a code", "out of memory", "no reason in its status"],
)
def test_an_exit_is_what_a_failed_pod_says(pods, found):
    assert found == exit_of(pods)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"reason": "Evicted"}, "Evicted"),
        ({"reason": "Preempting"}, "Preempted"),
        ({"reason": "NodeLost"}, "NodeLost"),
        ({"reason": "Terminated"}, "NodeLost"),
        (target("PreemptionByScheduler"), "Preempted"),
        (target("DeletionByTaintManager"), "NodeLost"),
        (target("EvictionByEvictionAPI"), "Evicted"),
        (target("SomethingNew"), "Evicted"),
    ],
)  # fmt: skip
def test_a_pod_that_was_taken_away_is_a_disruption_although_its_container_was_killed(status, reason):
    """A9: 137 alone would count against the limit."""
    taken = pod(phase="Failed", code=137)
    taken["status"] |= status

    found = exit_of([taken])

    assert (reason, "disrupted") == (found.reason, found.meaning)


def test_of_several_pods_the_one_taken_away_counts_before_those_that_failed_for_it():
    gone = pod("b", phase="Failed", code=143)
    gone["status"]["reason"] = "Evicted"

    assert exit_of([pod("a", phase="Failed", code=1), gone]).reason == "Evicted"


def test_of_several_failures_the_first_in_time_counts():
    early, late = pod("late", phase="Failed", code=1), pod("early", phase="Failed", code=42)
    for one, moment in ((early, "12:00:05"), (late, "12:00:01")):
        one["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = f"2026-01-01T{moment}Z"

    assert exit_of([early, late]).code == 42


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_writes_no_more(phase):
    assert not may_write(pod(phase=phase), NOW)


@pytest.mark.parametrize(
    ("deletion", "writes"),
    [(None, True), ("2026-01-01T12:00:30Z", True), ("2026-01-01T11:59:01Z", True), ("2026-01-01T11:58:59Z", False)],
    ids=["not deleted", "in its grace", "just over it", "long overdue"],
)
def test_a_pod_that_is_long_overdue_is_left_to_the_token(deletion, writes):
    """A10: a lost node never confirms the end of its Pods."""
    one = pod()
    one["metadata"]["deletionTimestamp"] = deletion

    assert writes == may_write(one, NOW)


def test_what_keeps_a_pod_from_work_is_told():
    unschedulable = pod(phase="Pending", conditions=[
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}
    ])  # fmt: skip
    pulling = pod(phase="Pending", containerStatuses=[{"state": {"waiting": {"reason": "ImagePullBackOff"}}}])
    creating = pod(phase="Pending", containerStatuses=[{"state": {"waiting": {"reason": "ContainerCreating"}}}])

    assert waiting_for([pod(), unschedulable]) == "Unschedulable: 0/3 nodes are available"
    assert waiting_for([pulling]) == "ImagePullBackOff"
    assert waiting_for([creating]) == ""
