import shutil

import pytest
from finalizers import ROOT, Bucket, setup

from windlass.envtest.kit import Effects, Trial, assert_idempotent, for_every_crash_point
from windlass.informers import Key

MINE = {
    "apiVersion": "howto.windlass.dev/v1",
    "kind": "Bucket",
    "metadata": {"name": "mine"},
    "spec": {"readme": "mine"},
}


class Folders(Effects):
    """The world outside is looked at, not counted: what lies in the folder."""

    def begin(self):
        shutil.rmtree(ROOT, ignore_errors=True)

    @property
    def counts(self):
        return {str(path.relative_to(ROOT)): 1 for path in ROOT.rglob("*")}


@pytest.fixture(scope="module", autouse=True)
def buckets(control_plane):
    control_plane.install(Bucket)


async def delete(api, namespace):
    await api.delete(Bucket, Key(namespace, "mine"))


async def test_a_bucket_is_kept(cluster):
    trial = Trial(setup, MINE, cluster, effects=Folders(), volatile=["status.path"])
    end = await assert_idempotent(trial, runs=4)
    assert set(end.effects) == {
        "<uid of buckets.howto.windlass.dev mine>",
        "<uid of buckets.howto.windlass.dev mine>/README",
    }


async def test_a_bucket_is_cleaned_up_after_wherever_the_operator_is_killed(cluster):
    report = await for_every_crash_point(Trial(setup, MINE, cluster, then=delete, effects=Folders()))
    assert (report.end.objects, report.end.effects) == ({}, {})
