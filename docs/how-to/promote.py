"""A good release and a bad one, promoted to a stand-in for KServe on an embedded API server: python promote.py."""

import asyncio

from windlass.controller import Manager
from windlass.envtest.apiserver import ApiServer
from windlass.envtest.workloads.kserve import Behaviour, InferenceService, KServe
from windlass.informers import Api, Client, Cluster, Key
from windlass.manifests.install import install
from windlass.operators.promotion import Promotion, PromotionSettings, setup

GOOD, BAD = "s3://models/digits/2", "s3://models/digits/3"
MODEL = "5d" * 32
SERVICE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "digits", "annotations": {"serving.kserve.io/deploymentMode": "Knative"}},
    "spec": {"predictor": {"model": {"modelFormat": {"name": "onnx"}, "storageUri": "s3://models/digits/1"}}},
}


def promotion(name: str, storage: str) -> dict[str, object]:
    return {
        "apiVersion": "ai.windlass.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": name},
        "spec": {
            "target": {"inferenceService": {"name": "digits"}},
            "release": {"storageUri": storage, "modelSha256": MODEL},
            "gate": {"verdict": "Passed", "modelSha256": MODEL, "evidenceSha256": "e0" * 32},
            "steps": [{"weight": 10, "duration": "0s"}, {"weight": 50, "duration": "0s"}],
        },
    }


async def ended(api: Api, name: str) -> None:
    while True:
        status = (await api.get(Promotion, Key("default", name))).as_(Promotion).status
        if status.phase in ("Succeeded", "RolledBack", "Interrupted", "Failed"):
            break
        await asyncio.sleep(0.05)
    print(name)
    for entry in status.journal:
        print(f"  {entry.target:<11} {entry.message}")


async def main() -> None:
    async with ApiServer() as server:
        cluster = Cluster.from_dict(server.kubeconfig())
        async with Client(cluster) as client, KServe(cluster, {BAD: Behaviour(fails="load")}):
            api = Api(client)
            await install(api, [Promotion])
            await api.create(InferenceService, SERVICE, namespace="default")
            manager = Manager(cluster=cluster)
            setup(manager, PromotionSettings(look_seconds=0.1))
            async with manager:
                for name, storage in (("digits-2", GOOD), ("digits-3", BAD)):
                    await api.create(Promotion, promotion(name, storage), namespace="default")
                    await ended(api, name)


if __name__ == "__main__":
    asyncio.run(main())
