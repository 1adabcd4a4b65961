"""What a Binding must say; the rest is in the conformance suite. Kubernetes 1.20 answers these with a 500."""

import pytest
from servers import open_server

from windlass.informers import Api, Client, Cluster, Key, Pod
from windlass.informers.errors import BadRequest, Invalid

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {"containers": [{"name": "main", "image": "one"}]},
}


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("target", "error", "word"),
    [
        ({"kind": "Node", "name": ""}, Invalid, "target.name"),
        ({"kind": "Node"}, Invalid, "target.name"),
        ({"kind": "Pod", "name": "n"}, Invalid, "target.kind"),
        (None, BadRequest, "target"),
    ],
)
async def test_a_binding_that_names_no_node_binds_nothing(target, error, word):
    async with open_server("embedded") as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await api.create(Pod, POD)
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a"}, "target": target}
        with pytest.raises(error, match=word):
            await api.create(Pod, body, namespace="default", name="a", subresource="binding")
        assert "nodeName" not in (await api.get(Pod, Key("default", "a"))).to_dict()["spec"]
