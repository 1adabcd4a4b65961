"""Five kinds as people write them: their definitions to the letter, and one verdict on each object from all three.

Ours is the verdict of ``object_faults``, given before any server is asked; the others are those of the embedded server
and of a real one. CEL rules are left to the servers, and a real 1.20 knows none.
"""

import asyncio
import copy
import os
import uuid
from pathlib import Path

import pytest
from bad_values import good_value, mutants, seeded
from realistic_kinds import DatabaseCluster, FederatedJob, InferenceService, NodeRemediation
from servers import open_server

from windlass.informers import Api, Client, Cluster, Namespace, resource_of
from windlass.informers.errors import BadRequest, Invalid
from windlass.informers.requests import WriteOptions
from windlass.manifests import crd, info_of, schema_of, to_yaml
from windlass.manifests.install import install
from windlass.manifests.roundtrip import object_faults
from windlass.operators.training import TrainingJob

KINDS = (DatabaseCluster, TrainingJob, InferenceService, NodeRemediation, FederatedJob)
GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("cls", KINDS)
def test_the_definition_is_the_golden_one(cls):
    # To renew it after a wanted change: WINDLASS_GOLDEN=write, then read the difference.
    golden = GOLDEN / f"{info_of(cls).crd_name}.yaml"
    text = to_yaml([crd(cls)])
    if os.environ.get("WINDLASS_GOLDEN") == "write":
        golden.write_text(text)

    assert text == golden.read_text()


def objects(cls, count, *, bad):
    """The same objects in every run: good ones, and near each of them a few that have one thing wrong."""
    schema, info = schema_of(cls), info_of(cls)
    draw = seeded(cls.__name__)
    for number in range(count):
        spec = good_value(schema["properties"]["spec"], draw)
        for changed in (spec, *mutants({"spec": spec}, draw, bad)):
            yield {
                "apiVersion": info.resource.api_version,
                "kind": info.resource.kind,
                "metadata": {"name": f"x{number}"},
                **(changed if changed is not spec else {"spec": copy.deepcopy(spec)}),
            }


@pytest.mark.realtime(limit=120)
@pytest.mark.parametrize("server_kind", ["embedded", "kubernetes"])
async def test_server_and_our_own_check_give_the_same_verdict_on_every_object(server_kind):
    disagreed, reasons = [], []
    async with open_server(server_kind) as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await install(api, KINDS)
        namespace = f"verdicts-{uuid.uuid4().hex[:8]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for cls in KINDS:
            bodies = list(objects(cls, 10, bad=11))
            for body, reason in zip(bodies, await verdicts(api, cls, bodies, namespace), strict=True):
                reasons.append(reason)
                expected = object_faults(body, cls)
                if bool(expected) != bool(reason):
                    disagreed.append((cls.__name__, body.get("spec"), expected, reason))

    assert disagreed == [], "\n".join(map(str, disagreed))
    assert sum(map(bool, reasons)) >= 300
    assert reasons.count("") >= 100


async def verdicts(api, cls, bodies, namespace):
    """Of each object why the server refuses it; "" if it does not."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(verdict(api, cls, body, namespace)) for body in bodies]
    return [task.result() for task in tasks]


async def verdict(api, cls, body, namespace):
    where = namespace if resource_of(cls).namespaced else None
    try:
        await api.create(cls, body, namespace=where, options=WriteOptions(dry_run=True))
    except (BadRequest, Invalid) as refusal:
        return str(refusal)
    return ""
