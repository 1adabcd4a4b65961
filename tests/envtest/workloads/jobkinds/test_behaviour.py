"""Which behaviour a job has, and what its Pods are told of it."""

from windlass.envtest.workloads.jobkinds.behaviour import Behaviour, behaviour_of

FAILS, SILENT = Behaviour(exit_code=1), Behaviour(silent=True)


def test_the_first_key_that_stands_in_the_name_counts():
    script = {"-1": FAILS, "digits": SILENT}

    assert behaviour_of("digits-1", script) is FAILS
    assert behaviour_of("digits-2", script) is SILENT


def test_a_pattern_is_of_the_whole_name():
    script = {"digits-*-1": FAILS}

    assert behaviour_of("digits-1f2e-1", script) is FAILS
    assert behaviour_of("digits-1f2e-2", script) == Behaviour()
    assert behaviour_of("my-digits-1f2e-1", script) == Behaviour()


def test_a_job_that_is_not_in_the_script_fares_well():
    assert behaviour_of("digits-3", {"-1": FAILS}) == Behaviour()


def test_pods_are_told_only_what_is_said():
    assert Behaviour().annotations == {}
    assert Behaviour(exit_code=0, run_seconds=1.5, evicted=True).annotations == {
        "envtest.windlass.dev/exit-codes": "0",
        "envtest.windlass.dev/run-seconds": "1.5",
        "envtest.windlass.dev/evicted": "true",
    }
