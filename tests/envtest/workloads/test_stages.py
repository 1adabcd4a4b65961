"""What happens to a Pod next, after how long, and what its status says then."""

import attrs
import pytest

from windlass.envtest.errors import EnvtestError, StageError
from windlass.envtest.workloads.stages import (
    DEFAULT_STAGES,
    Stage,
    Then,
    When,
    delay_of,
    next_stage,
    read_stages,
    status_after,
)

NOW = "2026-08-01T12:00:00Z"
NOTES = "envtest.windlass.dev/"


def pod(phase="Pending", *, restart="Never", node="n", notes=None, **metadata):
    annotations = {NOTES + name: text for name, text in (notes or {}).items()}
    spec = {"restartPolicy": restart, "containers": [{"name": "a", "image": "one"}, {"name": "b", "image": "two"}]}
    return {
        "metadata": {"name": "p", "uid": "u", "annotations": annotations} | metadata,
        "spec": spec | ({"nodeName": node} if node else {}),
        "status": {"phase": phase},
    }


def played(one, stages=DEFAULT_STAGES, limit=10):
    """The names of the stages that a Pod goes through, and the Pod at the end."""
    names = []
    while (stage := next_stage(one, stages)) is not None and len(names) < limit:
        names.append(stage.name)
        if stage.then.delete:
            return names, None
        one = one | {"status": one["status"] | status_after(one, stage, NOW)}
    return names, one


def conditions(one):
    return {found["type"]: found["status"] for found in one["status"]["conditions"]}


class TestDefaults:
    def test_a_pod_without_a_node_waits(self):
        assert next_stage(pod(node=""), DEFAULT_STAGES) is None

    @pytest.mark.parametrize("restart", ["Never", "OnFailure"])
    def test_what_runs_to_completion_succeeds(self, restart):
        names, one = played(pod(restart=restart))
        assert names == ["run", "finish"]
        assert one["status"]["phase"] == "Succeeded"
        assert conditions(one)["Ready"] == "False"
        assert [found["state"]["terminated"]["exitCode"] for found in one["status"]["containerStatuses"]] == [0, 0]
        assert [found["name"] for found in one["status"]["containerStatuses"]] == ["a", "b"]

    def test_what_runs_for_ever_stays_ready(self):
        names, one = played(pod(restart="Always"))
        assert (names, one["status"]["phase"]) == (["run"], "Running")
        assert conditions(one) == dict.fromkeys(("PodScheduled", "Initialized", "Ready", "ContainersReady"), "True")
        assert all(found["state"] == {"running": {"startedAt": NOW}} for found in one["status"]["containerStatuses"])

    def test_exit_codes_of_one_run_after_the_other(self):
        names, one = played(pod(restart="OnFailure", notes={"exit-codes": "1, 2,0"}))
        assert names == ["run", "finish", "finish", "finish"]
        assert (one["status"]["phase"], one["status"]["containerStatuses"][0]["restartCount"]) == ("Succeeded", 2)

    def test_without_restarts_the_first_exit_code_is_the_last(self):
        names, one = played(pod(notes={"exit-codes": "3"}))
        terminated = one["status"]["containerStatuses"][0]["state"]["terminated"]
        assert (names, one["status"]["phase"]) == (["run", "finish"], "Failed")
        assert (terminated["exitCode"], terminated["reason"]) == (3, "Error")

    def test_what_always_restarts_crashes_again_and_again(self):
        names, one = played(pod(restart="Always", notes={"exit-codes": "1"}), limit=4)
        assert names == ["run", "crash", "crash", "crash"]
        status = one["status"]["containerStatuses"][0]
        assert (one["status"]["phase"], status["restartCount"]) == ("Running", 3)
        assert status["lastState"]["terminated"]["exitCode"] == 1

    def test_a_pod_may_never_become_ready(self):
        _, one = played(pod(restart="Always", notes={"never-ready": ""}))
        assert (one["status"]["phase"], conditions(one)["Ready"]) == ("Running", "False")

    def test_a_pod_may_be_evicted_when_it_runs(self):
        names, one = played(pod(restart="Never", notes={"evicted": "true", "exit-codes": "0"}))
        assert names == ["run", "evict"]
        assert (one["status"]["phase"], one["status"]["reason"]) == ("Failed", "Evicted")

    @pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded"])
    def test_a_pod_that_is_being_deleted_goes_and_does_nothing_else(self, phase):
        assert played(pod(phase, deletionTimestamp=NOW)) == (["delete"], None)

    @pytest.mark.parametrize(("text", "seconds"), [("3.5", 3.5), ("0", 0), ("-1", 0), ("soon", 0.05)])
    def test_how_long_it_runs_may_stand_in_an_annotation(self, text, seconds):
        run, finish = (one for one in DEFAULT_STAGES if one.name in ("run", "finish"))
        one = pod(notes={"run-seconds": text})
        assert (delay_of(one, run), delay_of(one, finish)) == (0.05, seconds)

    def test_a_condition_keeps_its_time_as_long_as_its_status(self):
        _, one = played(pod(restart="Always"))
        later = status_after(one, Stage("s", When(), Then(exit=1)), "2026-08-01T13:00:00Z")
        assert {found["type"]: found["lastTransitionTime"] for found in later["conditions"]}["Ready"] == NOW


class TestSelectors:
    @pytest.mark.parametrize(
        ("when", "fits"),
        [
            (When(), True),
            (When(phase="Running"), True),
            (When(phase="Pending"), False),
            (When(ready=False), True),
            (When(ready=True), False),
            (When(labels={"app": "a"}), True),
            (When(labels={"app": "b"}), False),
            (When(labels={"app": "a", "other": ""}), False),
            (When(annotations={"note": "text"}), True),
            (When(annotations={"note": "other"}), False),
            (When(annotated="note"), True),
            (When(annotated="absent"), False),
            (When(restart_policy=("Never",)), True),
            (When(restart_policy=("Always", "OnFailure")), False),
            (When(deleting=True), False),
        ],
    )
    def test_all_that_is_said_must_be_true(self, when, fits):
        one = pod("Running", labels={"app": "a"}) | {}
        one["metadata"]["annotations"] = {"note": "text"}
        assert (next_stage(one, [Stage("s", when, Then(exit=0))]) is not None) is fits

    def test_the_first_stage_that_fits_is_the_next(self):
        run = Then(run=True)
        stages = [Stage("no", When(phase="Failed"), run), Stage("a", When(), run), Stage("b", When(), run)]
        assert next_stage(pod(), stages).name == "a"

    def test_a_status_of_ones_own_is_put_over_the_rest_and_written_once(self):
        stage = Stage("s", When(phase="Running"), Then(status={"podIP": "10.0.0.1", "hostIP": "10.0.0.2"}))
        one = pod("Running")
        assert status_after(one, stage, NOW) == {"podIP": "10.0.0.1", "hostIP": "10.0.0.2"}
        assert played(one, [stage])[0] == ["s"]
        run = attrs.evolve(stage, when=When(), then=Then(run=True, ready=False, status={"podIP": "10.0.0.1"}))
        status = status_after(pod(), run, NOW)
        assert (status["podIP"], status["phase"], status["containerStatuses"][0]["ready"]) == (
            "10.0.0.1",
            "Running",
            False,
        )

    @pytest.mark.parametrize(("then", "phases"), [(Then(run=True), ["Pending"]), (Then(exit=0), ["Running"])])
    def test_a_stage_for_every_pod_leaves_alone_those_that_it_would_not_change(self, then, phases):
        always = [Stage("s", When(), then)]
        every = ("Pending", "Running", "Succeeded", "Failed")
        assert [phase for phase in every if next_stage(pod(phase), always)] == phases

    def test_only_one_thing_can_happen_at_a_time(self):
        with pytest.raises(ValueError, match="at most one of run, exit and delete"):
            Then(run=True, exit=0)


SCRIPT = """
- name: start
  when: {phase: Pending, labels: {app: slow}}
  delaySeconds: 2.5
  then: {run: true, ready: false}
- name: stop
  when: {phase: Running, restartPolicy: [Never, OnFailure]}
  then: {exit: 137, reason: OOMKilled}
"""


class TestScripts:
    def test_a_script_is_a_list_in_yaml(self, tmp_path):
        (tmp_path / "s.yaml").write_text(SCRIPT)
        assert read_stages(tmp_path / "s.yaml") == (
            Stage("start", When(phase="Pending", labels={"app": "slow"}), Then(run=True, ready=False), 2.5),
            Stage("stop", When("Running", restart_policy=("Never", "OnFailure")), Then(exit=137, reason="OOMKilled")),
        )

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{", ["cannot be read"]),
            ("a: b", ["expected a list of stages, found dict"]),
            ("- {name: a, when: {}, then: {}, dalay: 1}", ["stages[0]", "dalay"]),
            ("- {name: a, when: {}}", ["stages[0]", "then"]),
            ("- {name: a, when: {phase: Gone}, then: {}}", ["stages[0].when.phase", "Gone"]),
            ("- {name: a, when: {fase: Running}, then: {}}", ["stages[0].when", "fase"]),
            ("- {name: a, when: {}, then: {exit: no}}", ["stages[0].then.exit"]),
            ("- {name: a, when: {}, then: {exit: 0, run: true}}", ["stages[0].then", "at most one of"]),
            ("- {name: a, when: {}, then: {}, delaySeconds: -1}", ["stages[0]", "delay_seconds", "-1"]),
            ("- {name: a, when: {}, then: {}, delaySeconds: soon}", ["stages[0].delaySeconds", "soon"]),
        ],
    )
    def test_what_is_none_is_refused_with_the_file_and_the_field(self, tmp_path, text, words):
        path = tmp_path / "s.yaml"
        path.write_text(text)
        with pytest.raises(StageError) as caught:
            read_stages(path)
        assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)

    def test_an_absent_file_is_named(self, tmp_path):
        with pytest.raises(StageError, match="absent"):
            read_stages(tmp_path / "absent")

    def test_stage_errors_are_errors_of_the_surroundings(self):
        assert issubclass(StageError, EnvtestError)
