"""What a server said is heard again from the replaying one: the same bytes, at the rate asked for, at any time."""

import asyncio
import time

import msgspec
import pytest
from servers import open_server

from windlass.benchmarks.errors import ReplayFailed
from windlass.benchmarks.replay.ground import replaying
from windlass.benchmarks.replay.recorder import record
from windlass.benchmarks.replay.recording import blank
from windlass.benchmarks.widgets import WIDGET, population
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.informer import Informer
from windlass.informers.requests import ListOptions, raw_get, watch

COUNT = 30


async def recorded(server):
    async with population(Cluster.from_dict(server.kubeconfig()), "windlass-replay-test", COUNT) as api:
        return await record(api, "windlass-replay-test", COUNT)


async def heard(client, version, count):
    """The first events of a watch from a version on."""
    lines = b""
    async with client.stream(watch(WIDGET, ListOptions(), resource_version=version)) as stream:
        while lines.count(b"\n") < count:
            lines += await stream.read(20.0)
    return lines.splitlines(keepends=True)[:count]


def stamp(event):
    return int(msgspec.json.decode(event)["object"]["spec"]["stamp"])


@pytest.mark.realtime
@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_a_replay_says_what_the_server_said_and_stamps_each_event_when_it_is_sent(kind, tmp_path):
    async with open_server(kind) as server:
        recording = await recorded(server)
    file = tmp_path / "recording"
    recording.save(file)

    assert recording.tls == (kind == "kubernetes")
    async with replaying(file, rate=500.0) as ground:
        cluster = await Cluster.load(ground.kubeconfig)
        assert cluster.server.startswith("https" if recording.tls else "http:")
        async with Client(cluster) as client:
            for path in ("/version", "/api", "/apis/bench.windlass.dev/v1"):
                assert (await client.send(raw_get(path))).body == recording.documents[path]
            informer = Informer(client, WIDGET)
            running = asyncio.create_task(informer.run())
            await informer.ready()
            assert sorted(one.name for one in informer.store) == [f"widget-{number:06d}" for number in range(COUNT)]

            began = time.monotonic_ns()
            figures = await ground.load()
            events = await heard(client, recording.version, COUNT)  # a watch that comes late hears them all, too
            stamps = [stamp(event) for event in events]
            blanked = [
                event.replace(b"%019d" % when, blank().encode()) for event, when in zip(events, stamps, strict=True)
            ]
            assert blanked == recording.events
            assert stamps == sorted(stamps)
            assert began < stamps[0]
            assert (stamps[-1] - stamps[0]) / 1e9 > (COUNT - 1) / 500.0 * 0.9
            assert set(figures) == {"sender_late_p50_ms", "sender_late_p99_ms", "sender_cpu_s"}
            while [stamp(b'{"object":' + one.raw + b"}") for one in by_version(informer)] != stamps:  # noqa: ASYNC110  # nobody says that
                await asyncio.sleep(0.01)
            running.cancel()


def by_version(informer):
    changed = [one for one in informer.store if b'"stamp"' in one.raw]
    return sorted(changed, key=lambda one: int(one.resource_version))


@pytest.mark.realtime
async def test_a_replaying_server_that_cannot_start_says_why(tmp_path):
    file = tmp_path / "recording"
    file.write_bytes(b"no recording")

    with pytest.raises(ReplayFailed, match="expected a recording of windlass bench"):
        async with replaying(file, rate=1.0):
            pass
