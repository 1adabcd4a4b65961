"""Any order of questions, writes, lags, edits and restarts: never too many at work, and everybody has his turn."""

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from queue_jobs import job

from windlass.informers.store import Updated
from windlass.operators.training.queues.places import Admitted, Places

SLOTS = {"default": 2, "night": 1}


@attrs.define
class Job:
    """What the server has of a job, and what the cache shows of it."""

    obj: object
    cached: object = None
    asked: bool = False  # a run of its key has been admitted and has its write under way


def shown(one):
    return one.cached.to_dict()["status"]["phase"]


class Queues(RuleBasedStateMachine):
    """One controller, whose cache lags behind the server, but for each job never behind its own writes."""

    def __init__(self):
        super().__init__()
        self.places = Places(SLOTS)
        self.jobs = {}
        self.woken = set()
        self.begun = []

    def cache(self):
        return [one.cached for one in self.jobs.values() if one.cached is not None]

    def phase(self, name):
        return self.spec(name)[0]

    def spec(self, name):
        body = self.jobs[name].obj.to_dict()
        return body["status"]["phase"], body["spec"]

    def store(self, name, phase=None, **edit):
        """The server's next version of the job."""
        before, spec = self.spec(name)
        version = int(self.jobs[name].obj.resource_version) + 1
        age = 59 - int(self.jobs[name].obj.to_dict()["metadata"]["creationTimestamp"][-3:-1])
        self.jobs[name].obj = job(name, phase or before, version=version, age=age, **(spec | edit))

    def sync(self, name):
        """The cache catches up with this job, and the handler hears of it."""
        one = self.jobs[name]
        before, one.cached = one.cached, one.obj
        if before is None:
            self.woken.add(name)
        elif before is not one.obj:
            self.woken.add(name)
            self.woken |= {key.name for key in self.places.freed(Updated(before, one.obj), self.cache)}

    def pick(self, data, condition):
        names = [name for name, one in self.jobs.items() if condition(one)]
        return data.draw(st.sampled_from(names)) if names else None

    @initialize(queues=st.lists(st.sampled_from(sorted(SLOTS)), min_size=4, max_size=6))
    def a_queue_has_formed(self, queues):
        for queue in queues:
            self.create(0, queue)
        for name in self.jobs:
            self.sync(name)

    @precondition(lambda self: len(self.jobs) < 9)
    @rule(priority=st.integers(0, 2), queue=st.sampled_from(sorted(SLOTS)))
    def create(self, priority, queue):
        name = f"job-{len(self.jobs)}"
        self.jobs[name] = Job(job(name, age=50 - len(self.jobs), priority=priority, queue=queue))

    @rule(data=st.data())
    def catch_up(self, data):
        name = self.pick(data, lambda one: one.cached is not one.obj)
        if name is not None:
            self.sync(name)

    def reconcile(self, name):
        one = self.jobs[name]
        body = one.cached.to_dict()
        if body["status"]["phase"] != "Queued":
            self.places.leave(one.obj.uid)
            return
        if body["spec"].get("suspend"):
            return
        one.asked = self.places.enter(one.obj.uid, body["spec"]["queue"], self.cache()) == Admitted()

    @rule(data=st.data())
    def ask(self, data):
        # Read-your-writes: no run of a key before the cache has its last write. A user's edit may be unseen, though.
        name = self.pick(data, lambda one: one.cached is not None and not one.asked and shown(one) == "Queued")
        if name is not None:
            self.reconcile(name)

    @rule(data=st.data())
    def write_arrives(self, data):
        name = self.pick(data, lambda one: one.asked)
        if name is not None:
            one = self.jobs[name]
            one.asked = False
            if one.cached is one.obj:  # else it is a conflict
                self.begin(name)

    def begin(self, name):
        self.store(name, "Running")
        self.begun.append(name)

    @rule(data=st.data())
    def write_is_lost(self, data):
        name = self.pick(data, lambda one: one.asked)
        if name is not None:
            self.jobs[name].asked = False

    @rule(data=st.data(), phase=st.sampled_from(["Succeeded", "Failed", "Suspended"]))
    def end(self, data, phase):
        name = self.pick(data, lambda one: self.phase(one.obj.name) == "Running" and one.cached is one.obj)
        if name is not None:
            self.store(name, phase)

    @rule(data=st.data())
    def go_on(self, data):
        name = self.pick(data, lambda one: self.phase(one.obj.name) == "Suspended" and one.cached is one.obj)
        if name is not None:
            self.reconcile(name)
            self.store(name, "Queued")

    @rule(data=st.data(), suspend=st.booleans())
    def edit(self, data, suspend):
        name = self.pick(data, lambda one: self.phase(one.obj.name) == "Queued")
        if name is not None:
            self.store(name, suspend=suspend)

    @rule()
    def restart(self):
        """Nothing is remembered; a new cache begins with all there is."""
        self.places = Places(SLOTS)
        for one in self.jobs.values():
            one.cached, one.asked = one.obj, False
        self.woken = set(self.jobs)

    @invariant()
    def never_more_at_work_than_places(self):
        for queue, slots in SLOTS.items():
            assert (
                sum(self.spec(name)[0] == "Running" and self.spec(name)[1]["queue"] == queue for name in self.jobs)
                <= slots
            )

    def teardown(self):
        """Everybody has his turn, though a job is looked at again only when it is woken."""
        for name in self.jobs:
            if self.phase(name) in ("Queued", "Suspended"):
                self.store(name, "Queued", suspend=False)
        self.woken = set(self.jobs)
        for _ in range(200):
            for name in self.jobs:
                self.sync(name)
            if not self.woken:
                break
            name = min(self.woken)
            self.woken.discard(name)
            self.reconcile(name)
            if self.jobs[name].asked:
                self.jobs[name].asked = False
                self.begin(name)
            elif self.phase(name) == "Running":
                self.store(name, "Succeeded")
            self.never_more_at_work_than_places()
        assert {self.phase(name) for name in self.jobs} <= {"Succeeded", "Failed"}


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_of_the_same_priority_the_order_of_begin_is_the_order_of_age_whatever_the_order_of_questions():
    queues = Queues()
    for _ in range(6):
        queues.create(0, "night")
    queues.woken = set(queues.jobs)
    while queues.woken:
        for name in queues.jobs:
            queues.sync(name)
        name = max(queues.woken)  # the youngest asks first
        queues.woken.discard(name)
        queues.reconcile(name)
        if queues.jobs[name].asked:
            queues.jobs[name].asked = False
            queues.begin(name)
        elif queues.phase(name) == "Running":
            queues.store(name, "Succeeded")
        for name in queues.jobs:
            queues.sync(name)

    assert queues.begun == sorted(queues.jobs)
