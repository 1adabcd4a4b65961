"""Claims of volumes are taken, as what a bundle deploys has one, and wait for a volume that nobody has."""

import pytest
from servers import open_server

from windlass.informers import Api, Client, Cluster, Key
from windlass.informers.resources import Resource

pytestmark = pytest.mark.realtime

CLAIMS = Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@pytest.mark.parametrize("kind", ["embedded", "kubernetes"])
async def test_a_claim_is_stored_with_its_defaults_and_is_pending(kind):
    async with open_server(kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": SPEC}
        await api.create(CLAIMS, body, namespace="default")
        found = (await api.get(CLAIMS, Key("default", "data"))).to_dict()
    assert found["spec"] == {**SPEC, "volumeMode": "Filesystem"}
    assert found["status"] == {"phase": "Pending"}
