"""The real decisions on a real target's shape: every order of crashes, stale reads and rivals."""

import functools
import json

import attrs
import pytest
from phase_models import Phases, honest_journal
from promotions import MODES, NOW, Cluster, made, metadata

from windlass.envtest.workloads.kserve import Behaviour
from windlass.envtest.workloads.kserve.memory import Memory
from windlass.operators.promotion import facts as d
from windlass.operators.promotion.decision import decide
from windlass.operators.promotion.facts import FINALIZER, Facts
from windlass.operators.promotion.moves import current_phase
from windlass.operators.promotion.phases import MACHINE
from windlass.operators.promotion.types import PromotionStatus
from windlass.statemachine.world import Act, Bounds, Program, Put, Setting

WEIGHTS = (10,)


NEW = PromotionStatus()


_KNOWN = {}


def one_of(value):
    """The value itself, or the equal one that was there first: comparing it with itself costs nothing."""
    return _KNOWN.setdefault(value, value)


@attrs.frozen(cache_hash=True)
class Record:
    """What of the promotion ever changes."""

    status: PromotionStatus = NEW
    finalizers: tuple[str, ...] = ()
    mode: str = "Run"

    def __str__(self):
        return f"{phase_of(self)} {self.status.weight}"


@attrs.frozen(cache_hash=True)
class Outside:
    """The InferenceService as JSON, what KServe remembers of it, and the ids of the operations that were written."""

    found: str
    memory: Memory
    written: tuple[str, ...] = ()
    edited: bool = False

    def cluster(self, mode, script):
        cluster = Cluster(mode, script, memory=self.memory)
        cluster.found = json.loads(self.found)
        return cluster

    def with_(self, cluster, **changes):
        return one_of(attrs.evolve(self, found=json.dumps(cluster.found), memory=cluster.memory, **changes))

    def __str__(self):
        return f"{json.loads(self.found)['spec']} {self.written}"


def promotion_of(record):
    steps = [(weight, "0s") for weight in WEIGHTS]
    found = made(steps, status=record.status, mode=record.mode)
    return attrs.evolve(found, metadata=metadata(finalizers=record.finalizers))


@functools.cache
def phase_of(record):
    return current_phase(promotion_of(record))


def deciding(mode, script):
    @functools.cache
    def program(record, outside):
        """What the reconciler does with a decision, as effects of which any may be the last."""
        promotion, facts = promotion_of(record), Facts(now=NOW)
        for _ in range(6):
            match decide(promotion, facts):
                case d.Write(status):
                    return (Put(one_of(attrs.evolve(record, status=status))),)
                case d.AddFinalizer():
                    return (Put(one_of(attrs.evolve(record, finalizers=(FINALIZER,)))),)
                case d.Look():
                    facts = attrs.evolve(facts, sight=outside.cluster(mode, script).sight(promotion))
                case d.Apply():
                    return (writing(promotion, outside, mode, script),)
                case _:
                    return ()
        raise AssertionError("no decision")

    return program


def writing(promotion, seen, mode, script):
    """A patch on condition of the resource version that was read: of a target that changed since, nothing."""
    operation = promotion.status.operation
    cluster = seen.cluster(mode, script)
    cluster.apply(promotion)
    written = seen.with_(cluster, written=(*seen.written, operation.op_id))

    def write(outside):
        return written if outside is seen else outside

    return Act(f"writes {operation.name} on {hash(seen)}", write)


def environment(mode, script, *, edits, steers):
    @functools.cache
    def followed(outside):
        return outside.with_(outside.cluster(mode, script).follow())

    @functools.cache
    def edited(outside):
        cluster = outside.cluster(mode, script)
        spec = cluster.found["spec"]
        cluster.write({**spec, "predictor": {**spec["predictor"], "minReplicas": 2}})
        return outside.with_(cluster, edited=True)

    def act(record, outside):
        yield "KServe follows", record, followed(outside)
        if edits and outside.written and not outside.edited:
            yield "somebody edits", record, edited(outside)
        if steers and record.mode == "Run":
            yield "the user aborts", one_of(attrs.evolve(record, mode="Aborted")), outside

    return act


def once(before, after):
    written = after.outside.written
    return f"{written} were written" if len(set(written)) != len(written) else None


def not_over_an_edit(before, after):
    if before.outside.edited and after.outside.written != before.outside.written:
        return "something was written after somebody else's edit"
    return None


def intent_first(before, after):
    known = {one.op_id for one in after.record.status.operations}
    missing = set(after.outside.written) - known
    return f"{missing} were written and are not on record" if missing else None


def true_ends(mode):
    old, new = Cluster(mode).found["spec"], "s3://models/digits/2"

    def end(before, after):
        phase, spec = phase_of(after.record), json.loads(after.outside.found)["spec"]
        if after.outside.edited:
            return None
        if phase == "RolledBack" and spec != old:
            return f"rolled back to {spec}"
        if phase == "Succeeded" and (spec["predictor"]["model"]["storageUri"] != new or "canary" in spec):
            return f"succeeded with {spec}"
        return None

    return end


CASES = {
    "a good release": ({}, {"Succeeded"}),
    "one that cannot be loaded": ({"digits/2": Behaviour(fails="load")}, {"RolledBack"}),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("bounds", "replicas", "others"),
    [
        pytest.param(Bounds(crashes=0, stale=1, versions=24), 1, {"edits": False, "steers": True}, id="aborts"),
        pytest.param(Bounds(crashes=1, stale=0, versions=24), 1, {"edits": True, "steers": False}, id="edits"),
        pytest.param(Bounds(crashes=0, stale=0, versions=24), 2, {"edits": False, "steers": False}, id="a rival"),
    ],
)
def test_no_interleaving_writes_twice_over_an_edit_or_without_a_record(mode, case, bounds, replicas, others):
    """A16, A18, G1, G3."""
    script, ends = CASES[case]
    start = Cluster(mode, script).follow().follow()
    program = deciding(mode, script)
    setting = Setting(
        programs=tuple(Program(f"replica {number}", program) for number in range(replicas)),
        record=Record(),
        outside=one_of(Outside(json.dumps(start.found), start.memory)),
        bounds=bounds,
        environment=environment(mode, script, **others),
    )
    held = {
        "each operation once": once,
        "never over somebody else's edit": not_over_an_edit,
        "intent before effect": intent_first,
        "true ends": true_ends(mode),
        "an honest journal": honest_journal(MACHINE),
    }

    reached = Phases(MACHINE, phase_of).reached("Promotion", setting, held) & set(MACHINE.final)
    aborted = {"Failed", "RolledBack"} if others["steers"] else set()
    assert reached == ends | aborted | ({"Interrupted"} if others["edits"] else set())
