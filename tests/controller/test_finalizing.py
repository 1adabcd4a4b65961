"""The flow of one finalizer: each half at its time, and the finalizer there whenever it must be."""

import msgspec
import pytest

from windlass.controller.finalizing import with_finalizer
from windlass.controller.request import Result
from windlass.informers.objects import Object

FINALIZER = "example.com/mine"


class Context:
    """Keeps one object's finalizers as a server would."""

    def __init__(self, *finalizers, deleting=False):
        self.finalizers = list(finalizers)
        self.deleting = deleting
        self.log = []
        self.outcomes = []

    @property
    def obj(self):
        metadata = {"name": "a", "namespace": "ns", "uid": "u", "finalizers": self.finalizers}
        if self.deleting:
            metadata["deletionTimestamp"] = "2026-08-01T00:00:00Z"
        return Object.parse(msgspec.json.encode({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}))

    async def add_finalizer(self, obj, name):
        self.log.append("add")
        self.finalizers.append(name)
        return True

    async def remove_finalizer(self, obj, name):
        self.log.append("remove")
        self.finalizers.remove(name)
        return True

    async def reconcile(self):
        self.log.append("reconcile")
        assert FINALIZER in self.finalizers
        return Result.after(5)

    async def clean_up(self):
        self.log.append("clean up")
        assert FINALIZER in self.finalizers
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def run(self):
        return await with_finalizer(self, self.obj, FINALIZER, reconcile=self.reconcile, clean_up=self.clean_up)


async def test_it_is_added_first_and_nothing_else_happens_until_that_has_come_back():
    """F1."""
    ctx = Context("other")
    assert await ctx.run() is None
    assert ctx.log == ["add"]
    assert await ctx.run() == Result.after(5)
    assert ctx.log == ["add", "reconcile"]


async def test_a_deleted_object_is_cleaned_up_after_and_then_let_go():
    """F1."""
    ctx = Context(FINALIZER, "other", deleting=True)
    assert await ctx.run() is None
    assert ctx.log == ["clean up", "remove"]
    assert await ctx.run() is None
    assert ctx.log == ["clean up", "remove"]


async def test_a_clean_up_that_fails_keeps_the_finalizer_and_is_run_again():
    """F2."""
    ctx = Context(FINALIZER, deleting=True)
    ctx.outcomes = [ValueError("archive closed")]
    with pytest.raises(ValueError, match="archive closed"):
        await ctx.run()
    assert ctx.finalizers == [FINALIZER]
    await ctx.run()
    assert ctx.log == ["clean up", "clean up", "remove"]


@pytest.mark.parametrize("unfinished", [Result.after(1), Result.again()], ids=repr)
async def test_a_clean_up_that_needs_more_time_keeps_the_finalizer(unfinished):
    ctx = Context(FINALIZER, deleting=True)
    ctx.outcomes = [unfinished, Result.done()]
    assert await ctx.run() == unfinished
    assert ctx.finalizers == [FINALIZER]
    await ctx.run()
    assert ctx.finalizers == []


async def test_an_object_deleted_before_it_ever_had_the_finalizer_needs_nothing():
    """F1, F5."""
    ctx = Context("other", deleting=True)
    assert await ctx.run() is None
    assert ctx.log == []
