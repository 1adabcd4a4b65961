"""The executor `process` runs nothing unless it is allowed, and tells from exit code and folder what became of it."""

import json

import attrs
import pytest
from attempts import RUN, spec

from windlass.controller.executors import CONTRACT, ExecutorRegistry
from windlass.operators.errors import ExecutorNotAllowed, HyperparametersInvalid
from windlass.operators.training.executors.command import NAME, CommandExecutor, conclude
from windlass.operators.training.executors.contract import Broken, Done, Fault, Lost, NotStarted
from windlass.operators.training.executors.environment import VARIABLES
from windlass.operators.training.executors.foreign import Left
from windlass.operators.training.runfolder import Failure, Progress, TrainingResult
from windlass.operators.training.supervisor import Exited, Idle
from windlass.operators.training.types import Workload

ALLOWED, FORBIDDEN = CommandExecutor(True), CommandExecutor()
RESULT = TrainingResult(RUN.id, "sha", (0, 1), Progress(1, 3, 10, 0.5, 0.9), 1.0, RUN.op_id)


def running(*command, **changes):
    return spec(executor=NAME, workload=Workload(command=command, **changes))


def test_it_keeps_the_registry_s_contract_and_gives_way_to_another_of_its_kind():
    registry = ExecutorRegistry(discover=lambda: ())
    registry.register(NAME, FORBIDDEN, replace=True)

    assert registry.register(NAME, ALLOWED, replace=True) is registry.get(NAME)
    assert all(hasattr(ALLOWED, part) for part in CONTRACT)


def test_what_nobody_allowed_is_refused_whatever_the_spec_says():
    with pytest.raises(ExecutorNotAllowed, match="--allow-processes"):
        FORBIDDEN.check(running("true"))


async def test_it_is_not_started_either_if_the_owner_has_changed_his_mind():
    with pytest.raises(ExecutorNotAllowed):
        await FORBIDDEN.start(ALLOWED.render(running("true"), RUN), None)


def test_a_command_is_accepted_where_it_is_allowed():
    ALLOWED.check(running("python", "train.py", args=("--fast",), env=({"name": "A", "value": "1"},)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (spec(executor=NAME, workload=None), "workload.command: expected a program"),
        (running(), "workload.command: expected a program"),
        (running("a", image="b"), "workload.image: a process on this machine has none"),
        (running("a", nodes=2), "workload.nodes: a process on this machine has none"),
        (running("a", service_account_name="b"), "workload.serviceAccountName"),
        (running("a", env=({"name": "A", "valueFrom": {}},)), r"workload.env\[0\]: expected a name and a value"),
        (running("a", env=({"name": "A", "value": 1},)), r"workload.env\[0\]: expected a name and a value"),
        (attrs.evolve(running("a"), executor_config={"x": 1}), "executorConfig.x: unknown"),
    ],
)
def test_what_a_process_cannot_have_is_refused_by_name(given, words):
    with pytest.raises(HyperparametersInvalid, match=words):
        ALLOWED.check(given)


def test_equal_arguments_render_equal_bytes_with_the_contract_s_environment():
    """A6, A8: a variable of the spec does not overwrite one of ours."""
    given = running("train", args=("--fast",), env=({"name": "WINDLASS_ATTEMPT", "value": "x"},))

    found = json.loads(ALLOWED.render(given, RUN).command)

    assert ALLOWED.render(given, RUN) == ALLOWED.render(given, attrs.evolve(RUN))
    assert found["command"] == ["train", "--fast"]
    assert (set(VARIABLES), found["environment"]["WINDLASS_ATTEMPT"]) == (set(found["environment"]), RUN.op_id)


def test_a_variable_without_a_value_is_empty_as_in_a_container():
    given = running("train", env=({"name": "A"},))
    ALLOWED.check(given)

    assert json.loads(ALLOWED.render(given, RUN).command)["environment"]["A"] == ""


@pytest.mark.parametrize("state", [Idle(), Exited(2, 0), Exited(2, 1), Exited(1, 0)], ids=repr)
def test_the_last_word_in_the_folder_goes_before_everything(state):
    assert Done(RESULT) == conclude(state, 2, Left(RESULT))
    assert Broken(Fault("Bad", "why")) == conclude(state, 2, Left(Failure("Bad", "why")))


@pytest.mark.parametrize("state", [Idle(), Exited(1, 1)], ids=repr)
def test_what_nobody_here_started_was_not_started_or_went_down_with_another_controller(state):
    """A11."""
    assert NotStarted() == conclude(state, 2, Left())
    assert Lost("the controller was restarted", counted=False, resume_step=7) == conclude(
        state, 2, Left(begun=True, step=7)
    )


@pytest.mark.parametrize("code", [128 + 9, 75, 255, -9])
def test_what_may_help_another_time_is_lost_and_counted(code):
    """A9; a negative code is the end of the keeper itself."""
    found = conclude(Exited(2, code, "busy"), 2, Left(begun=True, step=7))

    assert (type(found), found.counted, found.resume_step) == (Lost, True, 7)


@pytest.mark.parametrize("code", [1, 2, 127])
def test_any_other_code_is_for_good_and_quotes_the_last_line(code):
    found = conclude(Exited(2, code, "no disk"), 2, Left(begun=True))

    assert found.fault == Fault("TrainerFailed", f"the command ended with exit code {code}: no disk")


def test_success_without_a_result_that_can_be_read_is_a_failure_and_says_why():
    garbled = conclude(Exited(2, 0), 2, Left(begun=True, fault="expected a JSON object, found 'x'"))
    found = conclude(Exited(2, 0), 2, Left(begun=True))

    assert garbled.fault.message.endswith("with a result.json that is not readable: expected a JSON object, found 'x'")

    assert found.fault == Fault("TrainerFailed", "the command ended without writing a result")
