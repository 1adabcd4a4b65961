"""What a Pod template says once it has been dressed: one form, one class, and nothing of any other."""

import copy
import json

import attrs
import pytest
from hardware_world import A100, H100, RACK, node, placed, wish
from hypothesis import given, settings
from hypothesis import strategies as st
from pod_templates import device_templates

from windlass.operators.errors import HardwareInvalid
from windlass.operators.training.hardware.builtin import BUILT_IN
from windlass.operators.training.hardware.rendering import check_template, claim_template, dress

PROFILES = BUILT_IN
NODES = [
    node("g", gpus=8, model=H100, labels={RACK: "r1"}),
    node("a", room={"amd.com/gpu": "8"}),
    node("h", room={"habana.ai/gaudi": "8", "hugepages-2Mi": "8Gi"}),
    node("w", room={"cerebras.net/cs": "1"}),
    node("c"),
    node("d", room={"gpu.nvidia.com": "8", "gpu.amd.com": "8"}),
]
PLAIN = {"spec": {"containers": [{"name": "trainer", "image": "example.com/t:1"}, {"name": "proxy"}]}}


def dressed(*classes, template=PLAIN, **spec):
    return dress(template, placed(wish(*classes, of=template, **spec), NODES))


def asking(requests, **limits):
    """PLAIN, whose first container asks for something."""
    made = copy.deepcopy(PLAIN)
    first(made)["resources"] = {"requests": requests} | limits
    return made


def first(template):
    return template["spec"]["containers"][0]


def names(template, kind):
    return [one["name"] for one in template["spec"].get(kind, ())]


def variables(container):
    return {one["name"]: one.get("value") for one in container.get("env", ())}


# The device-plugin form (C1).


@pytest.mark.parametrize(
    ("name", "resource"),
    [("nvidia", "nvidia.com/gpu"), ("amd", "amd.com/gpu"), ("gaudi", "habana.ai/gaudi"), ("cs2", "cerebras.net/cs")],
)
def test_each_device_is_asked_for_by_its_resource_request_and_limit_alike(name, resource):
    made = dressed(name)

    assert first(made)["resources"] == {"requests": {resource: "1"}, "limits": {resource: "1"}}
    assert "resources" not in made["spec"]["containers"][1]
    assert {"key": resource, "operator": "Exists", "effect": "NoSchedule"} in made["spec"]["tolerations"]


def test_what_else_the_template_asks_for_stays():
    made = dressed("nvidia", template=asking({"cpu": "4"}, limits={"memory": "8Gi"}), devices=4)

    assert first(made)["resources"] == {
        "requests": {"cpu": "4", "nvidia.com/gpu": "4"},
        "limits": {"memory": "8Gi", "nvidia.com/gpu": "4"},
    }


@pytest.mark.parametrize("form", ["DevicePlugin", "DRA"])
def test_what_only_one_device_wants_is_left_out_for_the_others(form):
    template = asking({"hugepages-2Mi": "1Gi", "cpu": "1"}, limits={"hugepages-2Mi": "1Gi"})

    assert first(dressed("gaudi", template=template))["resources"]["limits"] == {
        "hugepages-2Mi": "1Gi",
        "habana.ai/gaudi": "1",
    }
    other = dressed("nvidia", template=template, form=form, claim_version="resource.k8s.io/v1")
    assert "hugepages-2Mi" not in json.dumps(other)


@pytest.mark.parametrize("amount", ["500m", "0.5", "1.5", "0", "-1"])
def test_a_fraction_of_a_device_is_an_error(amount):
    with pytest.raises(HardwareInvalid, match="whole number of devices, found"):
        check_template({"spec": {"containers": [{"name": "a", "resources": {"limits": {"x.io/gpu": amount}}}]}})


def test_a_fraction_in_the_template_of_the_job_is_an_error_before_anything_is_placed():
    half = {"rdma/hca": "500m"}

    with pytest.raises(HardwareInvalid, match=r"container trainer: rdma/hca: expected a whole number .* found 500m"):
        dressed("nvidia", template=asking(half, limits=half))


@pytest.mark.parametrize("limits", [{"x.io/gpu": "2"}, {}], ids=["another", "none"])
def test_a_request_unlike_the_limit_is_an_error(limits):
    resources = {"requests": {"x.io/gpu": "1"}, "limits": limits}

    with pytest.raises(HardwareInvalid, match="expected a request equal to the limit, found 1 and"):
        check_template({"spec": {"initContainers": [{"name": "a", "resources": resources}]}})


# The claimed form (C1).


@pytest.mark.parametrize("version", ["resource.k8s.io/v1", "resource.k8s.io/v1beta2", "resource.k8s.io/v1beta1"])
def test_a_claimed_device_is_a_claim_and_no_extended_resource(version):
    made = dressed("nvidia", form="DRA", claim_version=version, devices=2)

    assert first(made)["resources"] == {"claims": [{"name": "windlass-devices"}]}
    assert made["spec"]["resourceClaims"] == [{"name": "windlass-devices", "resourceClaimTemplateName": "devices"}]
    assert "nvidia.com/gpu" not in json.dumps(made["spec"]["containers"])


@pytest.mark.parametrize(
    ("version", "nested"),
    [("resource.k8s.io/v1", True), ("resource.k8s.io/v1beta2", True), ("resource.k8s.io/v1beta1", False)],
)
def test_the_claim_template_has_the_shape_of_the_version_that_is_served(version, nested):
    nodes = [node("g", model=H100, room={"gpu.nvidia.com": "8"})]
    wanted = wish("nvidia-h100", form="DRA", claim_version=version, devices=2, alignment="numaNode")

    made = claim_template(attrs.evolve(placed(wanted, nodes), claim="job-1"), "team")

    expression = 'device.attributes["gpu.nvidia.com"].productName.lowerAscii().contains("h100")'
    exactly = {
        "deviceClassName": "gpu.nvidia.com",
        "allocationMode": "ExactCount",
        "count": 2,
        "selectors": [{"cel": {"expression": expression}}],
    }
    assert made == {
        "apiVersion": version,
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "job-1", "namespace": "team"},
        "spec": {"spec": {"devices": {
            "requests": [{"name": "devices", "exactly": exactly} if nested else {"name": "devices", **exactly}],
            "constraints": [{"requests": ["devices"], "matchAttribute": "resource.kubernetes.io/numaNode"}],
        }}},
    }  # fmt: skip


def test_without_a_claim_there_is_no_claim_template():
    assert claim_template(placed(wish("nvidia"), NODES), "n") is None
    assert claim_template(placed(wish("cpu", form="DRA", claim_version="v"), NODES), "n") is None


def test_both_forms_in_one_pod_are_an_error():
    template = {**PLAIN, "spec": {**PLAIN["spec"], "resourceClaims": [{"name": "nic", "resourceClaimName": "n"}]}}

    with pytest.raises(HardwareInvalid, match=r"one form: found the claims nic beside .* nvidia.com/gpu"):
        dressed("nvidia", template=template)
    assert dressed("cpu", template=template)["spec"]["resourceClaims"] == template["spec"]["resourceClaims"]


# Where it may run.


def node_affinity(template):
    return template["spec"]["affinity"]["nodeAffinity"]


def test_the_model_is_required_and_the_chosen_nodes_are_preferred():
    found = node_affinity(dressed("nvidia-h100"))

    assert found["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "nvidia.com/gpu.product", "operator": "In", "values": [H100]}]}
    ]
    assert found["preferredDuringSchedulingIgnoredDuringExecution"] == [
        {
            "weight": 10,
            "preference": {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["g"]}]},
        }
    ]


@pytest.mark.parametrize(("word", "kind"), [("required", "required"), ("preferred", "preferred")])
def test_a_domain_is_required_or_preferred_as_the_job_says(word, kind):
    found = node_affinity(dressed("nvidia", topology={word: "rack"}))

    told = json.dumps(found[f"{kind}DuringSchedulingIgnoredDuringExecution"])
    assert f'{{"key": "{RACK}", "operator": "In", "values": ["r1"]}}' in told


def test_what_the_template_requires_of_nodes_itself_stays_required_in_each_alternative():
    mine = {"key": "disk", "operator": "Exists"}
    terms = [
        {"matchExpressions": [mine]},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["g"]}]},
    ]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    template = {**PLAIN, "spec": {**PLAIN["spec"], "affinity": {"nodeAffinity": required, "podAffinity": {"x": 1}}}}

    made = dressed("nvidia-h100", template=template)

    found = node_affinity(made)["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    model = {"key": "nvidia.com/gpu.product", "operator": "In", "values": [H100]}
    assert found == [{"matchExpressions": [mine, model]}, {**terms[1], "matchExpressions": [model]}]
    assert made["spec"]["affinity"]["podAffinity"] == {"x": 1}


def test_tolerations_of_the_device_are_added_to_those_of_the_template():
    template = {**PLAIN, "spec": {**PLAIN["spec"], "tolerations": [{"key": "u"}]}}

    once = dressed("nvidia", template=template)

    assert [one["key"] for one in once["spec"]["tolerations"]] == ["u", "nvidia.com/gpu"]
    assert dressed("nvidia", template=once)["spec"]["tolerations"] == once["spec"]["tolerations"]


def test_what_the_user_says_of_the_chosen_device_stays():
    template = copy.deepcopy(PLAIN)
    template["spec"] |= {"nodeSelector": {"nvidia.com/gpu.family": "hopper"}, "runtimeClassName": "nvidia"}
    nodes = [node("g", gpus=1, labels={"nvidia.com/gpu.family": "hopper"})]
    first(template)["env"] = [{"name": "NCCL_DEBUG", "value": "INFO"}]
    template["spec"]["containers"][1]["resources"] = {"limits": {"nvidia.com/mig-1g.5gb": "1"}}

    made = dress(template, placed(wish("nvidia", of=template), nodes))

    assert made["spec"]["nodeSelector"] == {"nvidia.com/gpu.family": "hopper"}
    assert made["spec"]["runtimeClassName"] == "nvidia"
    assert variables(first(made)) == {"NCCL_DEBUG": "INFO"}
    assert "resources" not in made["spec"]["containers"][1]  # devices are those of the placement, and no others


# The CPU instead (C5).


def test_on_a_cpu_libraries_see_no_device_in_any_container():
    template = {"spec": {**PLAIN["spec"], "initContainers": [{"name": "load"}]}}

    made = dressed("cpu", template=template)

    for container in (*made["spec"]["containers"], *made["spec"]["initContainers"]):
        found = variables(container)
        assert (found["CUDA_VISIBLE_DEVICES"], found["NVIDIA_VISIBLE_DEVICES"]) == ("", "void")


@pytest.mark.parametrize(
    ("cpus", "fallback", "threads"),
    [
        ("6500m", {}, "6"),
        ("500m", {}, "1"),
        ("4", {"threads": 2}, "2"),
        ("2", {"resources": {"cpu": "8"}}, "8"),
        (None, {}, None),
    ],
)
def test_on_a_cpu_there_are_as_many_threads_as_processors(cpus, fallback, threads):
    template = PLAIN if cpus is None else asking({"cpu": cpus})

    found = variables(first(dressed("cpu", template=template, cpu=fallback)))

    assert {found.get(f"{one}_NUM_THREADS") for one in ("OMP", "MKL", "OPENBLAS")} == {threads}
    assert "OMP_NUM_THREADS" not in variables(first(dressed("nvidia", template=template, cpu=fallback)))


def test_on_a_cpu_other_resources_can_be_asked_for_request_and_limit_alike():
    made = dressed("cpu", template=asking({"cpu": "1", "memory": "1Gi"}), cpu={"resources": {"cpu": "6"}})

    assert first(made)["resources"] == {"requests": {"cpu": "6", "memory": "1Gi"}, "limits": {"cpu": "6"}}


def test_on_a_cpu_the_batch_size_is_the_one_that_is_meant_for_it():
    spec = {"cpu": {"batchSize": 4}}

    assert variables(first(dressed("cpu", **spec)))["WINDLASS_BATCH_SIZE"] == "4"
    assert "WINDLASS_BATCH_SIZE" not in variables(first(dressed("nvidia", **spec)))
    assert "WINDLASS_BATCH_SIZE" not in variables(first(dressed("cpu")))


@settings(max_examples=60)
@given(device_templates())
def test_on_a_cpu_nothing_of_any_device_is_left_anywhere(template):
    before = json.dumps(template)
    placement = placed(wish("cpu", cpu={"resources": {"cpu": "2"}}), NODES)

    made = dress(template, placement)

    told = json.dumps(made)
    assert json.dumps(template) == before, "the template that was given has been changed"
    for device in ("nvidia.com", "amd.com", "habana.ai", "cerebras.net"):
        assert device not in told
    assert "windlass-devices" not in told
    assert dress(made, placement)["spec"]["containers"] == made["spec"]["containers"]
    # What has nothing to do with devices is still there.
    for kind in ("containers", "initContainers"):
        assert [one["name"] for one in made["spec"].get(kind, ())] == [
            one["name"] for one in template["spec"].get(kind, ())
        ]
    assert told.count("example.com/kept") == before.count("example.com/kept")


@given(
    device_templates(), st.sampled_from(["nvidia", "amd", "gaudi", "cs2", "cpu"]), st.sampled_from(["nvidia", "cpu"])
)
def test_a_pod_is_moved_to_another_class_and_back_as_if_it_had_never_been_there(template, away, home):
    there = dress(template, placed(wish(away), NODES))
    placement = placed(wish(home), NODES)

    back = dress(there, placement)

    assert first(back).get("resources", {}).get("limits", {}).keys() & {"nvidia.com/gpu", "amd.com/gpu"} == (
        {"nvidia.com/gpu"} if home == "nvidia" else set()
    )
    gone = {"amd.com/", "habana.ai/", "cerebras.net/"} | ({"nvidia.com/"} if home == "cpu" else set())
    assert not [one for one in gone if one in json.dumps(back)]
    check_template(back)


def test_equal_placements_give_equal_bytes_in_every_call():
    placement = placed(wish("nvidia-h100", pods=2, topology={"required": "rack"}), NODES)

    assert json.dumps(dress(PLAIN, placement)) == json.dumps(dress(PLAIN, attrs.evolve(placement)))


def test_a_template_without_a_container_is_an_error():
    with pytest.raises(HardwareInvalid, match=r"spec\.containers: expected a container"):
        dressed("cpu", template={"spec": {}})


def test_gangs_of_several_models_are_kept_to_these():
    nodes = [node("a", gpus=1, model=A100), node("h", gpus=1, model=H100)]
    placement = placed(wish("nvidia", pods=2, allowMixed=True), nodes)

    made = dress(PLAIN, placement)

    assert "requiredDuringSchedulingIgnoredDuringExecution" not in node_affinity(made)
