import io
from datetime import UTC, datetime

import attrs
import pytest
from rich.console import Console

from windlass.cli.progress import BarView, LineView, has_ended, reason_of_failure, view_for
from windlass.informers import Key, ObjectMeta
from windlass.operators.training import TrainingJob
from windlass.operators.training.handoff.types import PromotionRecord
from windlass.operators.training.types import (
    DataReference,
    Output,
    ProgressStatus,
    TrainingJobSpec,
    TrainingJobStatus,
)
from windlass.statemachine.conditions import Condition

WHY = "there is no executor named 'xgboost'"


def job(phase="Running", epoch=None, *, name="digits", generation=1, observed=1, why=None):
    progress = None if epoch is None else ProgressStatus(epoch, 300, epoch * 10, 0.12345, 0.98765)
    conditions = () if why is None else (Condition("Succeeded", "False", "ExecutorNotFound", why),)
    return TrainingJob(
        metadata=ObjectMeta(name=name, namespace="default", generation=generation),
        spec=TrainingJobSpec(DataReference("/data"), "softmax", Output("digits")),
        status=TrainingJobStatus(
            observed_generation=observed,
            life_generation=observed,
            phase=phase,
            progress=progress,
            conditions=conditions,
        ),
    )


def terminal(columns=80):
    return Console(file=io.StringIO(), force_terminal=True, width=columns, height=24, color_system=None)


def frame(view, columns=80):
    """The bars as they stand, line by line."""
    paper = Console(file=io.StringIO(), width=columns, color_system=None)
    paper.print(view._progress.get_renderable())
    return [line for line in paper.file.getvalue().splitlines() if line.strip()]


def test_lines_tell_each_phase_and_each_tenth_of_the_epochs_once(capsys):
    with LineView() as view:
        view.update(job("Pending"))
        view.update(job("Pending"))
        for epoch in range(1, 301):
            view.update(job("Running", epoch))
        view.update(job("Succeeded", 300))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "default/digits: Pending"
    assert lines[1] == "default/digits: Running  epoch 1/300  loss 0.1235  accuracy 0.988"
    assert lines[2] == "default/digits: Running  epoch 30/300  loss 0.1235  accuracy 0.988"
    assert lines[-1] == "default/digits: Succeeded  epoch 300/300  loss 0.1235  accuracy 0.988"
    assert len(lines) == 1 + 11 + 1


def promoting(phase, weight):
    made = job("Promoting", 300)
    record = PromotionRecord("digits-1", "op", datetime(2026, 1, 1, tzinfo=UTC), "uid", phase, weight)
    return attrs.evolve(made, status=attrs.evolve(made.status, promotion=record))


def test_lines_tell_each_phase_and_weight_of_the_promotion_once(capsys):
    with LineView() as view:
        for phase, weight in (("", 0), ("Shifting", 10), ("Holding", 10), ("Holding", 10), ("Holding", 50)):
            view.update(promoting(phase, weight))

    assert capsys.readouterr().out.splitlines()[1:] == [
        "default/digits: Promoting  Shifting at 10 %",
        "default/digits: Promoting  Holding at 10 %",
        "default/digits: Promoting  Holding at 50 %",
    ]


def test_a_bar_shows_the_weight_instead_of_the_loss():
    with BarView(terminal()) as view:
        view.update(promoting("Holding", 10))
        (line,) = frame(view)

    assert "Promoting" in line
    assert "Holding at 10 %" in line


def test_lines_keep_jobs_apart_and_tell_that_one_is_gone(capsys):
    with LineView() as view:
        view.update(job("Pending", name="a"))
        view.update(job("Pending", name="b"))
        view.update(job("Pending", name="a"))
        view.remove(Key("default", "a"))
        view.remove(Key("default", "unheard-of"))

    assert capsys.readouterr().out.splitlines() == ["default/a: Pending", "default/b: Pending", "default/a: deleted"]


def test_a_failed_job_tells_why(capsys):
    LineView().update(job("Failed", why=WHY))

    assert capsys.readouterr().out == f"default/digits: Failed  ExecutorNotFound: {WHY}\n"


@pytest.mark.parametrize("name", ["digits", "a-name-that-is-much-too-long-for-a-column-of-a-table"])
@pytest.mark.parametrize("phase", ["Pending", "VerifyingData", "Running"])
def test_a_bar_fits_into_eighty_columns_with_phase_epoch_loss_and_accuracy(name, phase):
    with BarView(terminal()) as view:
        view.update(job(phase, 299, name=name))
        (line,) = frame(view)

    assert len(line) <= 80
    assert line.startswith(f"default/{name}"[:15])
    assert f" {phase} " in line
    assert "299/300 loss 0.1235 acc 0.988 0:00:0" in line
    assert "━━━━" in line


def test_a_job_without_progress_has_a_bar_too():
    with BarView(terminal()) as view:
        view.update(job("VerifyingData"))
        (line,) = frame(view)

    assert line.startswith("default/digits VerifyingData")


def test_a_job_that_has_ended_turns_from_a_bar_into_one_line(capsys):
    with BarView(terminal()) as view:
        view.update(job("Running", 10))
        view.update(job("Running", 10, name="other"))
        view.update(job("Failed", 10, why=WHY))
        view.update(job("Failed", 10, why=WHY))
        (left,) = frame(view)

    assert left.startswith("default/other")
    assert capsys.readouterr().out == (
        f"default/digits: Failed  epoch 10/300  loss 0.1235  accuracy 0.988  ExecutorNotFound: {WHY}\n"
    )


def test_a_new_generation_gets_a_bar_and_its_end_a_line_again(capsys):
    with BarView(terminal()) as view:
        view.update(job("Succeeded", 300))
        view.update(job("Succeeded", 300, generation=2, observed=1))
        assert len(frame(view)) == 1
        view.update(job("Succeeded", 300, generation=2, observed=2))
        assert frame(view) == []

    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_deleted_job_loses_its_bar(capsys):
    with BarView(terminal()) as view:
        view.update(job("Running", 10))
        view.remove(Key("default", "digits"))
        assert frame(view) == []

    assert capsys.readouterr().out == "default/digits: deleted\n"


def test_what_is_said_beside_the_bars_is_never_broken_into_lines(capsys):
    """It may be a command that somebody copies."""
    text = "curl " + "x" * 200
    with BarView(terminal()) as view:
        view.update(job("Running", 10))
        view.say(text)
        view.say("a problem", err=True)

    assert capsys.readouterr() == (f"{text}\n", "a problem\n")


def test_bars_are_for_terminals_only(monkeypatch):
    assert isinstance(view_for(progress=True), LineView)
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    assert isinstance(view_for(progress=True), BarView)
    assert isinstance(view_for(progress=False), LineView)


def test_a_finished_job_that_is_only_steered_ends_without_another_line(capsys):
    view = LineView()
    view.update(job("Succeeded", 300))
    edited = job("Succeeded", 300, generation=2, observed=2)
    view.update(attrs.evolve(edited, status=attrs.evolve(edited.status, life_generation=1)))

    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_nothing_more_happens_to_a_job_in_a_final_phase(phase):
    assert has_ended(job(phase))


def test_an_end_belongs_to_the_generation_that_was_observed():
    assert has_ended(job("Succeeded"))
    assert has_ended(job("Failed"))
    assert not has_ended(job("Running"))
    assert not has_ended(job("Succeeded", generation=2, observed=1))


def test_only_a_failure_has_a_reason():
    assert reason_of_failure(job("Failed", why=WHY)) == f"ExecutorNotFound: {WHY}"
    assert reason_of_failure(job("Running")) == ""


def test_a_new_generation_that_fails_at_once_tells_its_own_reason(capsys):
    view = LineView()
    view.update(job("Failed", why="the first"))
    view.update(job("Failed", why="the first", generation=2))
    view.update(job("Failed", why="the second", generation=2, observed=2))

    lines = capsys.readouterr().out.splitlines()
    assert tuple(lines) == tuple(f"default/digits: Failed  ExecutorNotFound: the {n}" for n in ("first", "second"))
