"""`windlass run --promotion` carries promotions out, and asks for metrics only where it was told to."""

import asyncio

import pytest
from programs import WINDLASS, running
from servers import open_server

from windlass.envtest.workloads.kserve import InferenceService, KServe
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.promotion import Promotion, sample_promotion

pytestmark = pytest.mark.realtime(limit=120)

SERVICE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "digits", "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
    "spec": {"predictor": {"model": {"modelFormat": {"name": "onnx"}, "storageUri": "s3://models/digits/1"}}},
}


async def test_the_sample_is_begun_and_a_url_that_was_not_named_is_not_asked(tmp_path):
    sample = sample_promotion()
    sample["spec"]["steps"] = [{"weight": 10, "duration": "0s"}]
    check = {"name": "up", "url": "http://127.0.0.1:1/", "query": "up", "atLeast": 1}
    sample["spec"]["guards"]["metrics"] = [check]
    async with open_server("embedded") as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client, KServe(cluster):
            api = Api(client)
            await install(api, [Promotion])
            await api.create(InferenceService, SERVICE, namespace="default")
            given = ("--no-training", "--promotion", "--promotion-url", "http://127.0.0.1:2/")
            command = (*WINDLASS, "run", "--kubeconfig", str(tmp_path / "kubeconfig"), *given)
            async with running(*command, cwd=tmp_path) as program:
                await program.line("running      promotion")
                await api.create(Promotion, sample)
                said = ""
                async with asyncio.timeout(60):
                    while "allows" not in said:  # the server is asked as a user would
                        await asyncio.sleep(0.1)
                        found = (await api.get(Promotion, Key("default", "digits-2"))).as_(Promotion)
                        said = " ".join(one.message for one in found.status.conditions)
                program.interrupt()
                ended = await program.end(seconds=20)

    assert (ended.code, found.status.phase) == (0, "Holding")
