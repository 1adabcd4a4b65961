"""Every executor whose work is Pods writes into them what the job was given, and nothing of any other hardware."""

import json

import attrs
import pytest
from attempts import RUN, spec
from hardware_world import H100, RACK, node, placed, wish
from rendered_jobs import FULL

from windlass.operators.errors import HyperparametersInvalid
from windlass.operators.training.executors.kubernetes_job import KUBERNETES_JOB
from windlass.operators.training.executors.pytorchjob import PYTORCHJOB
from windlass.operators.training.executors.rayjob import RAYJOB
from windlass.operators.training.executors.trainjob import TRAINJOB

NODES = [node("g", gpus=8, model=H100, labels={RACK: "r1"}, room={"gpu.nvidia.com": "8"}), node("c")]
ALL = pytest.mark.parametrize("executor", [KUBERNETES_JOB, TRAINJOB, PYTORCHJOB, RAYJOB], ids=lambda one: one.name)


def manifest(executor, *classes, **hardware):
    asked = spec(executor=executor.name, workload=attrs.evolve(FULL, env=()))
    outline = executor.outline(asked)
    outline = attrs.evolve(outline, template={"spec": {**outline.template["spec"], "nodeSelector": {}}})
    placement = placed(wish(*classes, pods=outline.pods, of=outline.template, **hardware), NODES)
    return json.loads(executor.render(asked, attrs.evolve(RUN, placement=placement)).manifest)


def values(body, key):
    """Whatever stands under a key, wherever it is."""
    if isinstance(body, list):
        return [found for one in body for found in values(one, key)]
    if not isinstance(body, dict):
        return []
    return [*([body[key]] if key in body else []), *(found for one in body.values() for found in values(one, key))]


@ALL
def test_each_pod_has_the_devices_that_the_job_was_given_and_is_kept_to_their_model(executor):
    made = manifest(executor, "nvidia-h100", devices=2, topology={"required": "rack"})

    amounts = {amount for kind in ("limits", "requests") for one in values(made, kind) for amount in one.values()}
    assert amounts == {"2"}  # and no longer the one that the workload has asked for
    (terms, *_) = values(made, "nodeSelectorTerms")
    assert [one["key"] for one in terms[0]["matchExpressions"]] == ["nvidia.com/gpu.product", RACK]
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in values(made, "tolerations")[0]


@ALL
def test_on_a_cpu_nothing_of_the_device_is_left_in_the_whole_object(executor):
    """C5."""
    made = manifest(executor, "cpu", cpu={"resources": {"cpu": "1"}, "batchSize": 8})

    assert "nvidia.com" not in json.dumps(made)
    told = {one["name"]: one.get("value") for env in values(made, "env") for one in env}
    assert (told["CUDA_VISIBLE_DEVICES"], told["WINDLASS_BATCH_SIZE"], told["OMP_NUM_THREADS"]) == ("", "8", "1")


@pytest.mark.parametrize("executor", [KUBERNETES_JOB, PYTORCHJOB, RAYJOB], ids=lambda one: one.name)
def test_claimed_devices_are_claims_and_no_resource(executor):
    """C1."""
    made = manifest(executor, "nvidia", form="DRA", claim_version="resource.k8s.io/v1")

    assert values(made, "resourceClaimTemplateName")
    assert not values(made, "limits") or not any("nvidia.com/gpu" in one for one in values(made, "limits"))


def test_a_train_job_cannot_pass_on_claims_and_says_so():
    with pytest.raises(HyperparametersInvalid, match="resourceClaims cannot be passed on by a TrainJob"):
        manifest(TRAINJOB, "nvidia", form="DRA", claim_version="resource.k8s.io/v1")
