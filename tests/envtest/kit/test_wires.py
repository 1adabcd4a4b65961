"""Wires stand one before another, and answers that were read can be handed on."""

from contextlib import asynccontextmanager

from windlass.envtest.kit.wires import Replayed, body_of, wired
from windlass.informers import Cluster, requests
from windlass.informers.client import Stream

REQUEST = requests.raw_get("/version")


class Passing:
    def __init__(self, name, seen):
        self.name, self.seen = name, seen

    @asynccontextmanager
    async def carry(self, request, onward):
        self.seen.append(f"{self.name} in")
        async with onward() as stream:
            yield stream
        self.seen.append(f"{self.name} out")


@asynccontextmanager
async def answer():
    yield Stream(200, {}, REQUEST, Replayed([b"one", b"", b"two"]), "here")


async def test_the_wire_that_was_put_last_is_outermost():
    seen = []
    plain = Cluster("http://127.0.0.1:1")
    cluster = wired(wired(plain, Passing("inner", seen)), Passing("outer", seen))
    async with cluster.wire.carry(REQUEST, answer) as stream:
        assert await body_of(stream) == b"onetwo"
    assert seen == ["outer in", "inner in", "inner out", "outer out"]
    assert plain.wire is None
    assert cluster.server == plain.server


async def test_a_read_answer_is_given_again_part_by_part_and_then_ends():
    content = Replayed([b"one", b"", b"two"])
    assert [await content.read(1.0) for _ in range(4)] == [b"one", b"two", b"", b""]
