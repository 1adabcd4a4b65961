"""The real reconciler, killed between any two effects: one run, one version, one Event a transition (G1-G3, A8)."""

import itertools
from datetime import timedelta

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from training_jobs import UID
from training_world import EPOCHS, World, inline

from windlass.operators.training import phases
from windlass.operators.training.decision import FINALIZER
from windlass.operators.training.executors.contract import Workbench
from windlass.operators.training.identity import run_id
from windlass.operators.training.reconciler import TrainingReconciler
from windlass.operators.training.types import TrainingJobStatus
from windlass.statemachine.conditions import Conditions

TOLD = ["VerifyingData", "DataVerified", "TrainingStarted", "Trained", "Validated", "Published", "Succeeded"]


@pytest.fixture
def world(monkeypatch):
    inline(monkeypatch)
    return World()


def reasons(world, generation=1):
    return [reason for (_, name), (reason, _) in world.events.items() if name.startswith(f"{generation}/")]


def assert_done_once(world, generation=1):
    run = run_id(UID, generation)
    assert world.job.status.phase == "Succeeded"
    assert generation == world.job.status.runs
    assert (run, 1) == (world.job.status.run.id, list(world.versions).count(run))
    assert world.versions[run] == world.job.status.model.version
    assert sorted(TOLD) == sorted(reason for reason in reasons(world, generation) if reason != "TrainingResumed")
    assert [*range(1, EPOCHS + 1)] == [epoch for trained, epoch in world.trained_epochs if trained == run]
    assert [run] == list(world.folders)


def test_undisturbed_the_job_succeeds_in_one_attempt(world):
    world.settle()

    assert_done_once(world)
    assert world.job.status.run.attempt == 1
    assert reasons(world) == TOLD
    assert world.event_writes == len(TOLD), "no Event is sent twice by one process"


def test_killed_at_every_single_effect_in_turn_the_end_is_the_same(world, monkeypatch):
    """The n-th effect fails, for n = 1, 2, 3 … until a whole job passes without a kill."""
    sweeps = 0
    for moment in range(1, 500):
        world = World()
        world.kill_at(moment)
        killed = False
        for _ in range(40):
            wanted = world.kill_after
            killed |= world.reconcile()
            world.kill_after = None if killed else wanted
            world.train()
        world.settle()

        assert_done_once(world)
        if not killed:
            break
        sweeps += 1

    assert sweeps > 30


def test_a_deletion_killed_at_every_effect_leaves_nothing_but_the_published_model(world):
    for moment in range(1, 50):
        world = World()
        world.settle()
        world.delete()
        world.kill_at(moment)
        killed = world.reconcile()
        world.settle()

        assert (world.job.metadata.finalizers, world.folders) == ((), {})
        assert len(world.versions) == 1
        if not killed:
            break

    assert moment > 2


def test_a_finished_job_that_deletes_itself_leaves_its_model_wherever_it_is_killed(world):
    """G6: and never while somebody has just edited it."""
    for moment in range(1, 50):
        world = World()
        world.settle()
        world.edit_spec(ttl_seconds_after_finished=60)
        world.reconcile()
        world.edit_spec(suspend=True)
        world.lagging = True
        assert world.reconcile(), "the edit that it had not seen is a conflict"
        assert world.job.metadata.deletion_timestamp is None
        world.kill_at(moment)
        killed = False
        for _ in range(5):
            world.now += timedelta(minutes=1)
            killed |= world.reconcile()

        assert world.job.metadata.deletion_timestamp is not None
        assert (world.job.metadata.finalizers, world.folders, len(world.versions)) == ((), {}, 1)
        if not killed:
            break

    assert moment > 2


def test_a_job_deleted_while_training_ends_its_trainer(world):
    while world.trainer is None:
        world.reconcile()
    world.train()
    world.delete()

    world.settle()

    assert (world.trainer, world.folders, world.job.metadata.finalizers) == (None, {}, ())
    assert world.versions == {}


def test_a_new_spec_while_training_ends_the_old_run_and_completes_a_new_one(world):
    while world.trainer is None:
        world.reconcile()
    world.train()
    world.train()
    world.edit_spec()

    world.settle()

    assert_done_once(world, generation=2)
    assert [run_id(UID, 2)] == list(world.versions)


def test_a_finished_job_stays_finished_through_restarts(world):
    """G3."""
    world.settle()
    done = world.job
    for _ in range(3):
        world.boot()
        world.settle()

    assert done == world.job
    assert_done_once(world)


def test_a_finished_job_whose_folder_is_lost_is_not_trained_again(world):
    world.settle()
    world.folders.clear()
    world.boot()

    world.settle()

    assert (world.job.status.phase, world.folders) == ("Succeeded", {})


def test_a_job_whose_status_was_emptied_is_not_trained_again(world, tmp_path):
    """G3, G4: at whatever point of its life, once its run has left a folder."""
    world.runs = tmp_path
    world.boot()
    world.settle()
    trained, done = list(world.trained_epochs), world.job
    (tmp_path / world.job.status.run.id).mkdir()
    world.store(attrs.evolve(world.job, status=TrainingJobStatus()))
    world.boot()

    world.settle()

    found = Conditions.of(world.job.status.conditions)
    assert (found.get("StateCorrupt").status, found.get("Stalled").status) == ("True", "True")
    assert (world.trained_epochs, world.trainer, world.job.status.run) == (trained, None, None)

    world.store(attrs.evolve(world.job, status=done.status))
    world.settle()
    assert_done_once(world)


def test_a_job_of_another_operator_is_left_alone_and_that_is_told_once(world):
    """A8: its run lies in another folder, under a lock that is not seen here."""
    while world.trainer is None:
        world.reconcile()
    world.operator = "other"
    world.boot()
    before = world.job

    for _ in range(3):
        world.reconcile()

    assert (world.job, world.trainer) == (before, None)
    (said,) = [text for (_, name), (_, text) in world.events.items() if name == "elsewhere/windlass/other"]
    assert said.startswith("the operator windlass works this job, so other leaves it alone: run one of them only; if ")
    world.edit_spec()
    world.reconcile()
    assert world.job.status.life_generation == 1, "nor does another spec make it ours"

    world.operator = "windlass"
    world.boot()
    world.settle()
    assert (world.job.status.phase, world.job.status.life_generation) == ("Succeeded", 2)


def test_a_job_whose_operator_is_gone_can_be_deleted_after_a_while_and_taken_over_by_hand(world):
    while world.trainer is None:
        world.reconcile()
    world.operator = "other"
    world.boot()
    world.delete()
    deleted = world.now

    while world.job.metadata.finalizers:
        world.reconcile()
    assert timedelta(seconds=60) <= world.now - deleted <= timedelta(seconds=65)

    again = World()
    while again.trainer is None:
        again.reconcile()
    again.operator = "other"
    again.store(attrs.evolve(again.job, status=attrs.evolve(again.job.status, operator="")))
    again.boot()
    again.settle()
    assert again.job.status.phase == "Succeeded"


def test_an_event_that_was_dropped_is_told_again(world):
    import asyncio

    dropped = []
    real = world.event

    def drop_first(obj, **given):
        recorded = asyncio.get_running_loop().create_future()
        if given["reason"] not in dropped:
            dropped.append(given["reason"])
            recorded.set_result(False)
            return recorded
        return real(obj, **given)

    world.event = drop_first
    world.settle()
    for _ in range(2):
        world.reconcile()

    assert sorted(TOLD) == sorted(reasons(world))


def test_an_executor_that_is_unknown_fails_the_job_with_the_known_names(world):
    world.job = attrs.evolve(world.job, spec=attrs.evolve(world.job.spec, executor="nosuch"))

    world.settle()

    condition = Conditions.of(world.job.status.conditions).get(phases.ACCEPTED)
    assert (world.job.status.phase, condition.reason) == ("Failed", "ExecutorNotFound")
    assert "softmax" in condition.message
    assert reasons(world) == ["ExecutorNotFound"]


def test_an_executor_that_is_gone_after_a_restart_fails_the_run_and_does_not_hinder_deletion(world):
    while world.trainer is None:
        world.reconcile()
    world.name = "renamed"
    world.boot = lambda: None
    from windlass.controller.executors import ExecutorRegistry

    registry = ExecutorRegistry(discover=lambda: ())
    world.reconciler = TrainingReconciler(
        attrs.evolve(world.reconciler._settings, executors=registry), Workbench(None, world.runs)
    )

    world.reconcile()
    assert (world.job.status.phase, world.job.status.conditions[2].reason) == ("Failed", "ExecutorNotFound")
    world.delete()
    world.reconcile()
    assert world.job.metadata.finalizers == ()


class Crashes(RuleBasedStateMachine):
    """Any order of progress, kills, edits and stale reads; the job always ends well, once."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        inline(self.patch)
        self.world = World()
        self.highest = {}
        self.trainer_kills = 0

    @rule(moment=st.one_of(st.none(), st.integers(1, 12)))
    def reconcile(self, moment):
        self.world.kill_at(moment)
        self.world.reconcile()

    @rule(moment=st.one_of(st.none(), st.integers(1, 6)))
    def reconcile_on_a_stale_read(self, moment):
        self.world.lagging = True
        self.world.kill_at(moment)
        self.world.reconcile()
        self.world.lagging = False

    @rule()
    def train(self):
        self.world.train()

    @rule()
    def kill_controller(self):
        self.world.boot()

    @precondition(lambda self: self.trainer_kills < 3)
    @rule()
    def kill_trainer(self):
        self.trainer_kills += self.world.trainer is not None
        self.world.kill_trainer()

    @precondition(lambda self: self.world.job.metadata.generation < 6)
    @rule(what=st.sampled_from(["other work", "suspend or go on", "more retries"]))
    def edit_spec(self, what):
        spec = self.world.job.spec
        self.world.edit_spec(
            **{
                "other work": {},
                "suspend or go on": {"suspend": not spec.suspend},
                "more retries": {"retries": attrs.evolve(spec.retries, limit=spec.retries.limit + 1)},
            }[what]
        )

    @invariant()
    def nothing_works_on_a_suspended_job(self):
        assert self.world.job.status.phase != "Suspended" or self.world.trainer is None

    @invariant()
    def attempts_are_opened_in_order_and_only_the_last_is_open(self):
        attempts = self.world.job.status.attempts
        assert all(later.number == earlier.number + 1 for earlier, later in itertools.pairwise(attempts))
        assert all(one.finished_at is not None for one in attempts[:-1])

    @invariant()
    def the_phase_is_what_the_conditions_say(self):
        status = self.world.job.status
        assert status.phase == phases.phase_of(Conditions.of(status.conditions))

    @invariant()
    def no_checkpoint_is_lost_while_its_run_lives(self):
        for run, epochs in self.highest.items():
            if run in self.world.folders:
                assert self.world.folders[run].epochs >= epochs
        self.highest = {run: folder.epochs for run, folder in self.world.folders.items()}

    @invariant()
    def each_epoch_is_computed_once(self):
        assert len(set(self.world.trained_epochs)) == len(self.world.trained_epochs)

    @invariant()
    def nothing_outside_exists_before_the_finalizer(self):
        assert not self.world.folders or FINALIZER in self.world.job.metadata.finalizers

    def teardown(self):
        try:
            self.world.kill_at(None)
            if self.world.job.spec.suspend:
                self.world.edit_spec(suspend=False)
            self.world.settle()
            status, generation = self.world.job.status, self.world.job.status.life_generation
            assert status.observed_generation == self.world.job.metadata.generation
            assert status.phase == "Succeeded", status
            assert run_id(UID, generation) == status.run.id
            assert status.runs <= generation
            assert [1] * len(self.world.versions) == [
                list(self.world.versions).count(run) for run in self.world.versions
            ]
            told = [
                reason for reason in reasons(self.world, generation) if reason not in ("TrainingResumed", "Suspended")
            ]
            assert sorted(TOLD) == sorted(told)
        finally:
            self.patch.undo()


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
