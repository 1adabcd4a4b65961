"""A job whose controller is killed anywhere on its whole way ends the same: one training, version, card, promotion.

From the check of the data to the last change of the route, before and after every write to the API server and every
effect outside of it, and before every read.
"""

import os
import shutil

import pytest
from inline import NAME, Inline
from promoting_house import FIRST, first_version, job, open_route
from servers import open_server

from windlass.controller import ExecutorRegistry
from windlass.envtest.kit import Effects, Trial, for_every_crash_point
from windlass.informers.api import Api
from windlass.informers.builtins import Event
from windlass.informers.client import Client
from windlass.informers.cluster import Cluster
from windlass.informers.keys import Key
from windlass.manifests.install import install
from windlass.operators import promotion, training
from windlass.operators.promotion import Promotion, PromotionSettings
from windlass.operators.promotion.targets.endpoint import Endpoints
from windlass.operators.training import TrainingJob, TrainingSettings, trainer
from windlass.operators.training import publish as publishing
from windlass.operators.training.card import folder as cards
from windlass.operators.training.gate import evidence
from windlass.operators.training.identity import operation_id, run_id
from windlass.operators.training.metadata.store import MetadataStore
from windlass.serving.traffic import Routes

pytestmark = [pytest.mark.realtime(limit=1500), pytest.mark.slow]

WHOLE = os.environ.get("WINDLASS_SWEEP_WHOLE") == "1"
# Numbers of writes to a journal, seconds that something took, and ids that are computed from the promotion's uid.
VOLATILE = (
    *("status.journal", "status.since", "status.operations", "status.gate.checks", "status.model.card"),
    # An attempt that was killed before its first step is another attempt, though not another training.
    *("status.run.attempt", "status.run.opId", "status.attempts"),
)


class Outside(Effects):
    """The disk and the endpoint's route, which are as at the beginning whenever a run begins."""

    def __init__(self, lab, route):
        super().__init__()
        self.path, self.route, self.table = lab.path, route, lab.blobs()
        self.models = lab.path / "models"

    def begin(self):
        for name in ("state", "models"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        first_version(self.models, self.table)
        self.route.replace(Routes.of(FIRST))
        super().begin()  # last: the first version is the world's

    def patch(self, monkeypatch):
        """Each effect at the very step that it happens by: mostly the rename that makes a file be there."""
        self._wrap(monkeypatch, trainer, "train", lambda folder, config: ("train",))
        self._wrap(monkeypatch, publishing, "rename_folder", lambda temporary, final: ("publish", final.name))
        self._wrap(monkeypatch, evidence, "replace_file", lambda path, content: ("evidence",))
        self._wrap(monkeypatch, cards, "replace_file", lambda path, content: ("card", path.name))
        self._wrap(monkeypatch, MetadataStore, "record", lambda store, batch: ("record",))
        write = Endpoints.write

        async def writing(endpoints, promotion, sight):
            async with self.doing_on_loop("route", promotion.status.operation.name):
                return await write(endpoints, promotion, sight)

        monkeypatch.setattr(Endpoints, "write", writing)

    def _wrap(self, monkeypatch, owner, name, words):
        original = getattr(owner, name)

        def wrapped(*args, **options):
            with self.doing(*words(*args, **options)):
                return original(*args, **options)

        monkeypatch.setattr(owner, name, wrapped)

    @property
    def counts(self):
        """Recording again is harmless, and how often it is tried differs: that it is done at all is what counts."""
        return {**super().counts, "record": min(1, super().counts.get("record", 0))}


def derived(uid):
    """What the job's names are computed from."""
    run = run_id(uid, 1)
    words = {run: "<run>", run[:10]: "<run in short>", operation_id(run, "promote", 1): "<promotion>"}
    return {**words, operation_id(run, "train", 1): "<training>"}


@pytest.mark.parametrize("server", ["embedded", *(["kubernetes"] if WHOLE else [])])
async def test_killed_anywhere_from_data_to_traffic_a_job_ends_the_same(lab, server, monkeypatch):
    """G1, G2, A8, A13, A14. With WINDLASS_SWEEP_WHOLE=1 at every point and on both servers, else at every fourth."""
    registry = ExecutorRegistry(discover=lambda: ())
    registry.register(NAME, Inline())
    told = {}
    (lab.path / "models").mkdir()
    async with open_server(server) as running, open_route(lab.path / "models", poll_seconds=0.02) as endpoint:
        outside = Outside(lab, endpoint._traffic.traffic)
        outside.patch(monkeypatch)
        cluster = Cluster.from_dict(running.kubeconfig())
        async with Client(cluster) as client:
            await install(Api(client), [TrainingJob, Promotion])
        settings = TrainingSettings(
            lab.path / "state", lab.path / "models", executors=registry, promotions=True, workers=1
        )
        promoting = PromotionSettings(look_seconds=0.02, urls=(endpoint.url,), workers=1)

        def setup(manager):
            training.setup(manager, settings)
            promotion.setup(manager, promoting)

        async def until(api, namespace):
            found = (await api.get(TrainingJob, Key(namespace, "blobs"))).as_(TrainingJob)
            assert found.status.phase != "Failed", found.status
            events = [event.to_dict() for event in (await api.list(Event, namespace=namespace)).items]
            told[namespace] = sorted(
                f"{event['involvedObject']['kind']} {event['reason']}"
                for event in events
                if event["reason"] != "TrainingResumed"
            )
            return found.status.phase == "Succeeded" and len(told[namespace]) >= len(max(told.values(), key=len))

        body = job(outside.table, endpoint.url, hyperparameters={"epochs": 1})
        trial = Trial(
            setup, body, cluster, until=until, effects=outside, volatile=VOLATILE, derived=derived, limit_seconds=60
        )
        report = await for_every_crash_point(trial, every=1 if WHOLE else 4)

    assert report.end.effects == {
        "train": 1,
        "evidence": 1,
        "publish 2": 1,
        "record": 1,
        "card README.md": 1,
        "card confusion.svg": 1,
        "card loss.svg": 1,
        "route introduce": 1,
        "route shift": 1,
        "route complete": 1,
    }
    assert sum(name.startswith("promotions") for name in report.end.objects) == 1
    assert len({tuple(names) for names in told.values()}) == 1, "as many Events each time"
    counted = {sort: sum(point.sort == sort for point, _ in report.points) for sort in ("write", "read", "effect")}
    print(len(report.points), "points in", len(told), "runs:", counted)
    assert all(counted.values())
