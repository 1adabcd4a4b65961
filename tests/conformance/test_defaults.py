"""Defaults of built-in kinds: what an operator finds in an object beside what it wrote."""

import copy
from typing import Any

from conformance.harness import Api, case, pod

CONTAINER = {"name": "main", "image": "one"}
FILLED = {
    "name": "main",
    "image": "one",
    "imagePullPolicy": "Always",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
POD_SPEC = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
PROBE = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
EVICTED = {"effect": "NoExecute", "operator": "Exists", "tolerationSeconds": 300}


def collection(api: Api, plural: str) -> str:
    group = {"deployments": "apps/v1", "statefulsets": "apps/v1", "replicasets": "apps/v1", "jobs": "batch/v1"}
    root = f"/apis/{group[plural]}" if plural in group else "/api/v1"
    return f"{root}/namespaces/{api.namespace}/{plural}"


async def made(api: Api, plural: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return await api.made(collection(api, plural), {"metadata": {"name": "a"} | metadata, "spec": copy.deepcopy(spec)})


def without(spec: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {field: value for field, value in spec.items() if field not in fields}


@case(
    rows={
        "a deployment": (
            "deployments",
            SELECTED,
            {
                "progressDeadlineSeconds": 600,
                "replicas": 1,
                "revisionHistoryLimit": 10,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            },
        ),
        "a deployment that is made anew": (
            "deployments",
            SELECTED | {"strategy": {"type": "Recreate"}},
            {
                "progressDeadlineSeconds": 600,
                "replicas": 1,
                "revisionHistoryLimit": 10,
                "strategy": {"type": "Recreate"},
            },
        ),
        "a replica set": ("replicasets", SELECTED, {"replicas": 1}),
        "a stateful set": (
            "statefulsets",
            SELECTED | {"serviceName": "s"},
            {
                "serviceName": "s",
                "podManagementPolicy": "OrderedReady",
                "replicas": 1,
                "revisionHistoryLimit": 10,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            },
        ),
    }
)
async def test_a_workload_is_filled_in(api: Api, plural: str, spec: dict[str, Any], expected: dict[str, Any]):
    found = (await made(api, plural, spec))["spec"]
    assert without(found, "selector", "template") == expected
    assert found["template"]["spec"] == POD_SPEC | {"containers": [FILLED]}


@case()
async def test_a_pod_is_filled_in(api: Api):
    found = (await api.made(api.core("pods"), pod()))["spec"]
    own = {"enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0}
    assert without(found, "containers", "tolerations") == POD_SPEC | own
    assert found["containers"] == [FILLED]
    keys = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    assert found["tolerations"] == [EVICTED | {"key": key} for key in keys]


@case(
    rows={
        "the newest image": ({"image": "one:latest"}, {"imagePullPolicy": "Always"}),
        "an image of a registry with a port": ({"image": "host:5000/one"}, {"imagePullPolicy": "Always"}),
        "an image by its tag": ({"image": "one:2"}, {"imagePullPolicy": "IfNotPresent"}),
        "an image by its digest": (
            {"image": f"one@sha256:{'0' * 64}"},
            {"imagePullPolicy": "IfNotPresent"},
        ),
        "a port": ({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 80, "protocol": "TCP"}]}),
        "a probe by command": (
            {"readinessProbe": {"exec": {"command": ["a"]}}},
            {"readinessProbe": PROBE | {"exec": {"command": ["a"]}}},
        ),
        "a probe by request": (
            {"livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 5}},
            {"livenessProbe": PROBE | {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "periodSeconds": 5}},
        ),
        "a hook": (
            {"lifecycle": {"preStop": {"httpGet": {"port": 80}}}},
            {"lifecycle": {"preStop": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}}}},
        ),
        "a variable": (
            {"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            {"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}]},
        ),
        "limits that are requests, too": (
            {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}},
            {
                "resources": {
                    "limits": {"cpu": "1", "memory": "1Gi"},
                    "requests": {"cpu": "500m", "memory": "1Gi"},
                }
            },
        ),
    }
)
async def test_a_container_is_filled_in(api: Api, given: dict[str, Any], expected: dict[str, Any]):
    found = (await api.made(api.core("pods"), pod("a", CONTAINER | given)))["spec"]["containers"][0]
    assert found == FILLED | CONTAINER | given | expected


@case(
    rows={
        "of nothing": ({}, {"emptyDir": {}}),
        "of a secret": ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        "of a config map": ({"configMap": {"name": "m"}}, {"configMap": {"name": "m", "defaultMode": 420}}),
        "of the host": ({"hostPath": {"path": "/a"}}, {"hostPath": {"path": "/a", "type": ""}}),
        "of the pod's own fields": (
            {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {
                "downwardAPI": {
                    "defaultMode": 420,
                    "items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}],
                }
            },
        ),
    }
)
async def test_a_volume_is_filled_in(api: Api, given: dict[str, Any], expected: dict[str, Any]):
    body = pod()
    body["spec"]["volumes"] = [{"name": "v"} | given]
    found = (await api.made(api.core("pods"), body))["spec"]["volumes"]
    assert found == [{"name": "v"} | expected]


@case(
    rows={
        "nothing": ({}, "BestEffort"),
        "limits of all": ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        "limits of one": ({"limits": {"cpu": "1"}}, "Burstable"),
        "requests alone": ({"requests": {"cpu": "1", "memory": "1Gi"}}, "Burstable"),
        "less than the limits": (
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
            "Burstable",
        ),
    }
)
async def test_a_pod_has_the_quality_of_service_that_its_resources_make(api: Api, resources: Any, expected: str):
    found = await api.made(api.core("pods"), pod("a", CONTAINER | {"resources": resources}))
    assert found["status"]["qosClass"] == expected


ONCE = {"template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}


@case(
    rows={
        "a job": ({}, {"completions": 1, "parallelism": 1}),
        "a job of several at once": ({"parallelism": 3}, {"parallelism": 3}),
        "a job of several in turn": ({"completions": 3}, {"completions": 3, "parallelism": 1}),
    }
)
async def test_a_job_is_filled_in(api: Api, given: dict[str, Any], expected: dict[str, Any]):
    found = (await made(api, "jobs", ONCE | given))["spec"]
    assert without(found, "selector", "template", "suspend", "completionMode") == {"backoffLimit": 6} | expected
    assert found["template"]["spec"] == POD_SPEC | {"restartPolicy": "Never", "containers": [FILLED]}


@case()
async def test_a_job_selects_its_own_pods(api: Api):
    found = await made(api, "jobs", ONCE)
    labels = found["spec"]["template"]["metadata"]["labels"]
    assert (labels["controller-uid"], labels["job-name"]) == (found["metadata"]["uid"], "a")
    assert found["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert found["metadata"]["labels"] == labels


@case()
async def test_a_job_selects_by_hand_where_it_says_so(api: Api):
    template = ONCE["template"] | {"metadata": {"labels": {"a": "b"}}}
    spec = {"template": template, "manualSelector": True, "selector": {"matchLabels": {"a": "b"}}}
    found = (await made(api, "jobs", spec))["spec"]
    assert found["selector"] == {"matchLabels": {"a": "b"}}
    assert found["template"]["metadata"]["labels"] == {"a": "b"}


@case(
    rows={
        "a service": (
            {"ports": [{"port": 80}]},
            {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "type": "ClusterIP"},
        ),
        "a port by name": (
            {"ports": [{"port": 80, "targetPort": "http"}]},
            {"ports": [{"port": 80, "protocol": "TCP", "targetPort": "http"}], "type": "ClusterIP"},
        ),
        "a name for something outside": (
            {"type": "ExternalName", "externalName": "a.b"},
            {"type": "ExternalName", "externalName": "a.b"},
        ),
        "a service without an address": (
            {"clusterIP": "None", "selector": {"a": "b"}},
            {"clusterIP": "None", "clusterIPs": ["None"], "selector": {"a": "b"}, "type": "ClusterIP"},
        ),
    }
)
async def test_a_service_is_filled_in(api: Api, spec: dict[str, Any], expected: dict[str, Any]):
    found = await made(api, "services", spec)
    given = {"clusterIP", "clusterIPs"} - set(expected)
    assert without(found["spec"], *given) == expected | {"sessionAffinity": "None"}
    assert found["status"] == {"loadBalancer": {}}


@case()
async def test_a_service_has_an_address_and_keeps_it(api: Api):
    found = await made(api, "services", {"ports": [{"port": 80}]})
    address = found["spec"]["clusterIP"]
    assert address.startswith("10.")
    assert found["spec"]["clusterIPs"] == [address]
    path = f"{collection(api, 'services')}/a"
    changed = await api.merge(path, {"spec": {"type": "NodePort"}})
    assert changed.body["spec"]["clusterIP"] == address
    ports = changed.body["spec"]["ports"]
    assert 30_000 <= ports[0]["nodePort"] < 32_768
    assert (await api.merge(path, {"metadata": {"labels": {"a": "b"}}})).body["spec"]["ports"] == ports


@case()
async def test_a_service_cannot_move(api: Api):
    await made(api, "services", {"ports": [{"port": 80}]})
    answer = await api.merge(f"{collection(api, 'services')}/a", {"spec": {"clusterIP": "10.0.0.253"}})
    assert answer.code == 422
    assert any(field.startswith("spec.clusterIP") for _, field in answer.causes)


@case()
async def test_a_service_needs_ports(api: Api):
    answer = await api.create(collection(api, "services"), {"metadata": {"name": "a"}, "spec": {}})
    assert answer.code == 422
    assert ("FieldValueRequired", "spec.ports") in answer.causes


# A real controller writes a Deployment's status meanwhile, and so its version.
UNTOUCHED = {"deployments": "generation", "services": "resourceVersion"}


@case("U-08", rows={plural: (plural,) for plural in UNTOUCHED})
async def test_what_was_filled_in_makes_no_difference_when_it_is_written_again(api: Api, plural: str):
    spec = {"deployments": SELECTED, "services": {"ports": [{"port": 80}]}}[plural]
    found = await made(api, plural, spec)
    path = f"{collection(api, plural)}/a"
    first = await api.merge(path, {"metadata": {"labels": {"c": "d"}}})
    again = await api.merge(path, {"metadata": {"labels": {"c": "d"}}, "spec": without(found["spec"], "template")})
    assert again.code == 200
    assert again.body["metadata"][UNTOUCHED[plural]] == first.body["metadata"][UNTOUCHED[plural]]
