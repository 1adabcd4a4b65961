"""Which Pods of a group are there, and how conditions and deadlines are told."""

from datetime import UTC, datetime

from windlass.envtest.workloads.jobkinds.groups import Group, Members, deadline_left, exit_code, names, turned

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
GROUP = Group(name="worker", count=3, template={}, labels=("group", "number"))


def pod(number, phase="Running", *, group="worker", going=False, code=None):
    metadata = {"name": f"{group}-{number}", "labels": {"group": group, "number": str(number)}}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    state = {} if code is None else {"terminated": {"exitCode": code}}
    return {"metadata": metadata, "status": {"phase": phase, "containerStatuses": [{"state": state}]}}


def test_a_pod_that_goes_is_missing_already():
    members = Members.of(GROUP, [pod(0), pod(1, going=True), pod(2, group="other")])

    assert members.missing() == (1, 2)


def test_a_group_has_succeeded_with_the_last_of_its_pods():
    done = [pod(number, "Succeeded") for number in range(3)]

    assert Members.of(GROUP, done).succeeded
    assert not Members.of(GROUP, done[:2]).succeeded


def test_pods_that_ended_or_go_are_not_deleted_with_those_that_run():
    pods = [pod(0), pod(1, "Failed"), pod(2, going=True)]

    assert names(pods, active_only=True) == ("worker-0",)
    assert names(pods) == ("worker-0", "worker-1")


def test_an_exit_code_is_that_of_the_container_that_failed():
    assert [exit_code(pod(0, "Failed", code=code)) for code in (None, 0, 137)] == [None, None, 137]


def test_a_condition_keeps_its_time_for_as_long_as_its_status():
    first = {"type": "Running", "status": "True", "reason": "A", "message": ""}
    job = {"status": {"conditions": [first | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]}}

    assert turned(job, NOW, first) == job["status"]["conditions"]
    (renamed,) = turned(job, NOW, first | {"reason": "B"})
    assert (renamed["reason"], renamed["lastTransitionTime"]) == ("B", "2026-01-01T00:00:00Z")
    (other,) = turned(job, NOW, first | {"status": "False"}, updated=True)
    assert other["lastTransitionTime"] == other["lastUpdateTime"] == "2026-01-01T00:01:00Z"


def test_a_deadline_counts_from_the_time_that_is_written():
    assert deadline_left("2026-01-01T00:00:00Z", 90, NOW) == 30
    assert deadline_left("2026-01-01T00:00:00Z", None, NOW) is None
    assert deadline_left(None, 90, NOW) is None
