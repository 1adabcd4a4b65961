"""A Job as the sum of its Pods: what it wants next, and what its status says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.envtest.workloads.jobs import INDEX, JobPlan, completed_indexes, pod_of, step
from windlass.envtest.workloads.objects import written_time

NOW = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)


def at(seconds):
    return written_time(NOW + timedelta(seconds=seconds))


def job(*, conditions=(), started=0, restart="Never", **spec):
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"restartPolicy": restart, "containers": [{"name": "m"}]}}
    defaults = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "template": template}
    status = {"conditions": list(conditions)} | ({} if started is None else {"startTime": at(started)})
    metadata = {"name": "j", "namespace": "n", "uid": "u"}
    return {"metadata": metadata, "spec": defaults | spec, "status": status}


def pod(phase="Running", *, index=None, name="p", ended=0, restarts=0, ready=True, node="n"):
    terminated = {"terminated": {"exitCode": 1, "finishedAt": at(ended)}} if phase in ("Succeeded", "Failed") else {}
    metadata = {"name": name, "annotations": {} if index is None else {INDEX: str(index)}}
    status = {
        "phase": phase,
        "containerStatuses": [{"restartCount": restarts, "state": terminated}],
        "conditions": [{"type": "Ready", "status": "True" if ready and not terminated else "False"}],
    }
    return {"metadata": metadata, "spec": {"nodeName": node} if node else {}, "status": status}


def going(one):
    return one | {"metadata": one["metadata"] | {"deletionTimestamp": at(0)}}


def ended(kind, *, seconds=0, status="True"):
    return {"type": kind, "status": status, "lastTransitionTime": at(seconds)}


def facts(plan):
    """The conditions of a plan as pairs of type and status, with the reason where there is one."""
    return [(one["type"], one["status"], one.get("reason")) for one in plan.status.get("conditions", ())]


class TestPods:
    def test_a_new_job_starts_its_clock_and_its_first_pods(self):
        plan = step(job(started=None, completions=5, parallelism=3), [], NOW)
        assert plan.create == (None, None, None)
        assert plan.status["startTime"] == at(0)
        assert plan.wake_seconds is None

    @pytest.mark.parametrize(
        ("completions", "parallelism", "phases", "wanted"),
        [
            (3, 2, ["Running"], 1),
            (3, 2, ["Running", "Running"], 0),
            (3, 2, ["Succeeded", "Succeeded"], 1),
            (3, 5, ["Succeeded"], 2),
            (3, 0, [], 0),
            (2, 2, ["Pending", "Succeeded"], 0),
            (None, 2, ["Running"], 1),
            (None, 2, ["Succeeded", "Running"], 0),
        ],
    )
    def test_there_are_never_more_pods_than_are_still_wanted(self, completions, parallelism, phases, wanted):
        plan = step(job(completions=completions, parallelism=parallelism), [pod(one) for one in phases], NOW)
        assert (len(plan.create), plan.delete) == (wanted, ())

    def test_too_many_pods_lose_those_that_have_come_the_shortest_way(self):
        pods = [pod(name="ready"), pod(name="unready", ready=False), pod("Pending", name="unbound", node="")]
        assert step(job(parallelism=1), pods, NOW).delete == ("unbound", "unready")
        assert step(job(parallelism=0), pods, NOW).delete == ("unbound", "unready", "ready")

    def test_a_pod_that_is_being_deleted_neither_counts_nor_is_deleted_again(self):
        plan = step(job(), [going(pod())], NOW)
        assert (plan.create, plan.delete, plan.status["active"]) == ((None,), (), None)

    def test_an_indexed_job_fills_the_gaps_from_below(self):
        pods = [pod(index=0), pod("Succeeded", index=1), pod("Failed", index=2, ended=-100)]
        plan = step(job(completions=5, parallelism=3, completionMode="Indexed"), pods, NOW)
        assert plan.create == (2, 3)
        assert plan.status["completedIndexes"] == "1"

    def test_a_pod_names_its_job_and_its_index(self):
        plain, indexed = pod_of(job(), None), pod_of(job(), 3)
        assert plain["metadata"]["generateName"] == "j-"
        assert plain["metadata"]["labels"]["app"] == "a"
        assert (
            plain["metadata"]["labels"]["job-name"]
            == plain["metadata"]["labels"]["batch.kubernetes.io/job-name"]
            == "j"
        )
        assert INDEX not in plain["metadata"].get("annotations", {})
        assert indexed["metadata"]["annotations"] == {INDEX: "3"}
        assert indexed["spec"]["hostname"] == "j-3"
        assert indexed["spec"]["containers"][0]["env"] == [{"name": "JOB_COMPLETION_INDEX", "value": "3"}]
        assert "env" not in job()["spec"]["template"]["spec"]["containers"][0], "the template is nobody's to change"


class TestEnds:
    @pytest.mark.parametrize("spec", [{"completions": 2, "parallelism": 2}, {"completions": None, "parallelism": 2}])
    def test_it_is_complete_when_enough_have_succeeded(self, spec):
        plan = step(job(**spec), [pod("Succeeded"), pod("Succeeded"), pod("Failed", ended=-999)], NOW)
        assert facts(plan) == [("Complete", "True", None)]
        assert (plan.status["succeeded"], plan.status["failed"], plan.status["active"]) == (2, 1, None)
        assert plan.status["completionTime"] == at(0)

    def test_a_work_queue_waits_for_its_other_pods(self):
        assert facts(step(job(completions=None), [pod("Succeeded"), pod()], NOW)) == []

    def test_an_index_that_succeeded_twice_is_one_completion(self):
        one = job(completions=2, completionMode="Indexed")
        twice = [pod("Succeeded", index=0), pod("Succeeded", index=0), pod("Succeeded", index=7)]
        assert facts(step(one, twice, NOW)) == []
        assert facts(step(one, [*twice, pod("Succeeded", index=1)], NOW)) == [("Complete", "True", None)]

    def test_pods_beyond_the_last_completion_are_taken_away(self):
        assert step(job(), [pod("Succeeded"), pod(name="late")], NOW).delete == ("late",)

    @pytest.mark.parametrize(("limit", "failures", "is_over"), [(0, 1, True), (1, 1, False), (1, 2, True)])
    def test_more_failures_than_the_limit_end_it(self, limit, failures, is_over):
        pods = [pod(name="left"), *[pod("Failed", ended=-999)] * failures]
        plan = step(job(backoffLimit=limit, parallelism=2, completions=9), pods, NOW)
        assert facts(plan) == ([("Failed", "True", "BackoffLimitExceeded")] if is_over else [])
        assert plan.delete == (("left",) if is_over else ())
        assert plan.status["failed"] == failures + is_over, "what is taken away has failed, too"

    @pytest.mark.parametrize(
        ("restart", "limit", "restarts", "is_over"),
        [
            ("OnFailure", 2, 2, True),
            ("OnFailure", 2, 1, False),
            ("OnFailure", 0, 1, True),
            ("OnFailure", 0, 0, False),
            ("Never", 2, 2, False),
        ],
    )
    def test_restarts_count_where_containers_are_restarted(self, restart, limit, restarts, is_over):
        plan = step(job(restart=restart, backoffLimit=limit), [pod(restarts=restarts)], NOW)
        assert bool(facts(plan)) is is_over

    def test_the_deadline_ends_it_and_is_woken_for(self):
        one = job(activeDeadlineSeconds=10, started=-4)
        assert step(one, [pod()], NOW).wake_seconds == 6
        plan = step(one, [pod()], NOW + timedelta(seconds=6))
        assert facts(plan) == [("Failed", "True", "DeadlineExceeded")]
        assert plan.status["active"] is None

    @pytest.mark.parametrize("kind", ["Complete", "Failed"])
    def test_what_is_over_is_left_alone_until_its_time_to_live_has_passed(self, kind):
        over = {"conditions": [ended("Suspended", status="False"), ended(kind, seconds=-4)]}
        assert step(job(**over), [], NOW) == JobPlan()
        assert step(job(**over, ttlSecondsAfterFinished=10), [], NOW) == JobPlan(wake_seconds=6)
        assert step(job(**over, ttlSecondsAfterFinished=4), [], NOW) == JobPlan(delete_job=True)
        assert step(job(**over, ttlSecondsAfterFinished=0), [], NOW) == JobPlan(delete_job=True)

    def test_what_is_being_deleted_is_left_alone(self):
        assert step(going(job()), [pod()], NOW) == JobPlan()


class TestPauses:
    @pytest.mark.parametrize(("failures", "pause"), [(1, 10), (2, 20), (3, 40), (7, 360)])
    def test_each_failure_doubles_the_pause_up_to_six_minutes(self, failures, pause):
        pods = [pod("Failed", ended=-one) for one in range(failures)]
        plan = step(job(backoffLimit=99), pods, NOW)
        assert (plan.create, plan.wake_seconds) == ((), pause)
        assert step(job(backoffLimit=99), pods, NOW + timedelta(seconds=pause)).create == (None,)

    def test_suspended_it_has_no_pods_and_no_start(self):
        plan = step(job(suspend=True), [pod(name="a"), pod("Succeeded")], NOW)
        assert facts(plan) == [("Suspended", "True", "JobSuspended")]
        assert (plan.delete, plan.create, plan.status["startTime"]) == (("a",), (), None)
        again = job(suspend=True, started=None, conditions=plan.status["conditions"])
        assert "conditions" not in step(again, [], NOW).status

    def test_resumed_it_begins_anew(self):
        plan = step(job(started=None, conditions=[ended("Suspended")], activeDeadlineSeconds=10), [], NOW)
        assert facts(plan) == [("Suspended", "False", "JobResumed")]
        assert (plan.create, plan.status["startTime"], plan.wake_seconds) == ((None,), at(0), 10)


@given(st.lists(st.integers(0, 40)))
def test_written_indexes_can_be_read_back(indexes):
    text = completed_indexes(indexes)
    read = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        read += range(int(first), int(last or first) + 1)
    assert read == sorted(set(indexes))
    assert completed_indexes([0, 2, 3, 4, 7]) == "0,2-4,7"


@given(
    st.integers(0, 5), st.integers(0, 5), st.integers(0, 3), st.booleans(), st.lists(st.sampled_from(["good", "bad"]))
)
def test_a_job_whose_plans_are_followed_comes_to_an_end(completions, parallelism, limit, indexed, fates):
    """Every Pod runs and ends as fate has it; at each step the numbers hold, and at the end the Job is over."""
    one = job(started=None, completions=completions, parallelism=parallelism, backoffLimit=limit)
    if indexed:
        one["spec"]["completionMode"] = "Indexed"
    pods, now, fate, serial = [], NOW, iter(fates), 0
    for _ in range(80):
        plan = step(one, pods, now)
        one["status"] |= {name: value for name, value in plan.status.items() if value is not None}
        pods = [one for one in pods if one["metadata"]["name"] not in plan.delete]
        for index in plan.create:
            serial += 1
            pods.append(pod(index=index, name=f"p{serial}"))
        running = [one for one in pods if one["status"]["phase"] == "Running"]
        assert len(running) <= parallelism
        if one["status"].get("conditions"):
            break
        for ending in running[:1]:
            phase = "Failed" if next(fate, "good") == "bad" else "Succeeded"
            name, index = ending["metadata"]["name"], ending["metadata"]["annotations"].get(INDEX)
            pods[pods.index(ending)] = pod(phase, name=name, index=index, ended=(now - NOW).total_seconds())
        now += timedelta(seconds=plan.wake_seconds or 1)
    failures = sum(one["status"]["phase"] == "Failed" for one in pods)
    (condition,) = one["status"].get("conditions") or [{"type": "none"}]
    assert condition["type"] == (
        "Failed" if failures > limit else "none" if completions and not parallelism else "Complete"
    )
