"""Each thing is told once of each object, unless it was dropped."""

import asyncio
from types import SimpleNamespace

import attrs

from windlass.operators.teller import Teller
from windlass.operators.telling import Telling

BEGUN, ENDED = Telling("Begun", "it begins", "1/begin"), Telling("Ended", "it ends", "1/end", "Warning")


def about(uid):
    return SimpleNamespace(metadata=SimpleNamespace(uid=uid))


@attrs.define
class Recorder:
    """A context that records, or drops, what it is told."""

    drops: bool = False
    told: list = attrs.field(factory=list)

    def event(self, obj, **given):
        self.told.append((obj.metadata.uid, given["reason"], given["type"], given["dedupe"]))
        recorded = asyncio.get_running_loop().create_future()
        recorded.set_result(not self.drops)
        return recorded


async def test_a_thing_is_told_once_of_each_object():
    teller, recorder = Teller(), Recorder()

    for _ in range(2):
        teller.tell(recorder, about("a"), (BEGUN, ENDED))
        await asyncio.sleep(0)
    teller.tell(recorder, about("b"), (BEGUN,))

    assert recorder.told == [
        ("a", "Begun", "Normal", "1/begin"),
        ("a", "Ended", "Warning", "1/end"),
        ("b", "Begun", "Normal", "1/begin"),
    ]


async def test_what_was_dropped_is_told_again():
    teller, recorder = Teller(), Recorder(drops=True)

    for _ in range(2):
        teller.tell(recorder, about("a"), (BEGUN,))
        await asyncio.sleep(0)

    assert len(recorder.told) == 2


async def test_an_object_that_is_gone_is_forgotten():
    teller, recorder = Teller(), Recorder()
    teller.tell(recorder, about("a"), (BEGUN,))
    assert repr(teller) == "<Teller objects=1>"

    teller.forget("a")
    teller.forget("a")

    assert repr(teller) == "<Teller objects=0>"
