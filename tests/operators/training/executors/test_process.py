"""What folder and supervisor say together (A9, A10)."""

import signal
from pathlib import Path

import pytest

from windlass.operators.training.checkpoints import Checkpoint
from windlass.operators.training.executors.contract import Broken, Done, Fault, Lost, NotStarted
from windlass.operators.training.executors.exits import Exit
from windlass.operators.training.executors.process import conclude
from windlass.operators.training.exitcodes import TRY_AGAIN
from windlass.operators.training.runfolder import Failure, Progress, TrainingResult
from windlass.operators.training.supervisor import Exited, Idle, Working

RESULT = TrainingResult("r", "sha", (0, 1), Progress(2, 2, 20, 0.1, 0.9), 1.0)
CHECKPOINT = Checkpoint(Path("/c/10"), step=10, epoch=1, loss=0.1, accuracy=0.9)
STATES = [Idle(), Working(1), Working(2), Exited(1, 0), Exited(2, 0), Exited(2, 1), Exited(2, -9), Exited(2, TRY_AGAIN)]


def see(state, *, begun=True, record=None, checkpoint=CHECKPOINT):
    return conclude(state, 2, begun=begun, record=record, checkpoint=checkpoint)


@pytest.mark.parametrize("state", STATES, ids=repr)
def test_a_result_is_a_result_however_its_trainer_ended(state):
    assert Done(RESULT) == see(state, record=RESULT)


@pytest.mark.parametrize("state", STATES, ids=repr)
def test_a_recorded_failure_is_final_however_its_trainer_ended(state):
    assert Broken(Fault("TrainingDiverged", "too fast")) == see(state, record=Failure("TrainingDiverged", "too fast"))


@pytest.mark.parametrize("state", [Idle(), Exited(1, -9), Exited(1, 1)], ids=repr)
def test_an_attempt_that_never_held_the_lock_and_is_not_ours_was_not_started(state):
    """A11: what an earlier attempt did says nothing about this one."""
    assert NotStarted() == see(state, begun=False)


@pytest.mark.parametrize("state", [Idle(), Exited(1, -9)], ids=repr)
def test_an_attempt_that_began_under_another_controller_is_lost_and_not_counted(state):
    assert Lost("the controller was restarted", counted=False, resume_step=10) == see(state)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_killed_trainer_is_lost_and_counted(number):
    found = see(Exited(2, -number))

    assert Lost(f"the trainer was killed by {number.name}", True, 10, Exit(128 + number)) == found


def test_a_trainer_killed_before_it_began_counts_as_well():
    found = see(Exited(2, -9), begun=False, checkpoint=None)

    assert Lost("the trainer was killed by SIGKILL", counted=True, exit=Exit(137)) == found


def test_a_trainer_that_gave_up_for_now_is_tried_again():
    found = see(Exited(2, TRY_AGAIN, "busy"))

    assert Lost("the trainer gave up for now: busy", True, 10, Exit(TRY_AGAIN, message="busy")) == found


@pytest.mark.parametrize("code", [128, 137, 255])
def test_a_code_that_a_signal_gives_is_lost_and_counted_like_the_signal(code):
    """A9."""
    found = see(Exited(2, code, "no memory"))

    assert (
        Lost(f"the trainer ended with exit code {code}: no memory", True, 10, Exit(code, message="no memory")) == found
    )


@pytest.mark.parametrize("code", [1, 2, 127])
def test_any_other_exit_code_is_final_and_quotes_the_last_line(code):
    fault = Fault("TrainerFailed", f"the trainer ended with exit code {code}: no disk")

    assert Broken(fault, Exit(code, message="no disk"), 10) == see(Exited(2, code, "no disk"))


def test_success_without_a_result_is_a_failure():
    fault = Fault("TrainerFailed", "the trainer ended without writing a result and said nothing")

    assert Broken(fault, Exit(0), 10) == see(Exited(2, 0))
