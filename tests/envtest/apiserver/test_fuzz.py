import collections
import copy
import json
import os
import random

import aiohttp
import pytest
from seeds import announced_seed

from windlass.envtest.apiserver import ApiServer, Settings

RULE = {
    "rule": "self.n >= oldSelf.n || has(self.s)",
    "message": "m",
    "messageExpression": "'n is ' + string(self.n)",
    "reason": "FieldValueForbidden",
    "fieldPath": ".n",
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "ts.f.dev", "labels": {"a": "b"}},
    "spec": {
        "group": "f.dev",
        "scope": "Namespaced",
        "names": {"plural": "ts", "kind": "T", "shortNames": ["t"], "singular": "t", "categories": ["all"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"},
                },
                "additionalPrinterColumns": [{"name": "N", "type": "integer", "jsonPath": ".spec.n"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["n"],
                                "x-kubernetes-validations": [RULE],
                                "properties": {
                                    "n": {"type": "integer", "minimum": 0, "default": 1},
                                    "s": {"type": "string", "pattern": "^a", "enum": ["a", "ab"]},
                                    "l": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["k"],
                                        "items": {
                                            "type": "object",
                                            "required": ["k"],
                                            "properties": {"k": {"type": "string"}},
                                        },
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}
OBJECT = {
    "apiVersion": "f.dev/v1",
    "kind": "T",
    "metadata": {
        "name": "a",
        "labels": {"a": "b"},
        "annotations": {"a": "b"},
        "finalizers": ["a/b"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}],
        "managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
    },
    "spec": {"n": 1, "s": "a", "l": [{"k": "x"}]},
    "status": {"n": 1},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {"containers": [{"name": "c"}]},
    "status": {},
}
WEBHOOKS = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "w"},
    "webhooks": [
        {
            "name": "a.b.c",
            "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/p", "port": 1}, "caBundle": "YQ=="},
            "rules": [
                {"apiGroups": ["no.dev"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nos/*"]}
            ],
            "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
            "objectSelector": {"matchLabels": {"a": "b"}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 1,
        }
    ],
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}, "spec": {"finalizers": ["x"]}}
EVENT = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"generateName": "e"},
    "involvedObject": {"kind": "K"},
    "source": {},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "containers": [
                    {"name": "c", "image": "i", "ports": [{"containerPort": 1}], "resources": {"limits": {}}}
                ],
                "volumes": [{"name": "v", "configMap": {"name": "c"}}],
            },
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s"},
    "spec": {"type": "NodePort", "ports": [{"port": 80, "targetPort": "http"}], "selector": {"a": "b"}},
}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"generateName": "j"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}},
}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "r", "labels": {"a": "b"}},
    "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["get"], "nonResourceURLs": ["/*"]}],
    "aggregationRule": {
        "clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]
    },
}
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "b"},
    "roleRef": {"kind": "ClusterRole", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
    "subjects": [
        {"kind": "User", "name": "ann"},
        {"kind": "ServiceAccount", "name": "default", "namespace": "default"},
    ],
}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "secrets": [{"name": "s"}]}
TOKEN = {"spec": {"audiences": ["a"], "expirationSeconds": 600, "boundObjectRef": {"kind": "Pod", "name": "a"}}}
ACCESS = {
    "spec": {
        "user": "ann",
        "groups": ["g"],
        "extra": {"k": ["v"]},
        "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default", "name": "a"},
        "nonResourceAttributes": {"verb": "get", "path": "/"},
        "namespace": "default",
        "token": "x",
    }
}
DELETION = {"preconditions": {"uid": "x"}, "propagationPolicy": "Orphan", "dryRun": ["All"]}
OPERATIONS = [
    {"op": "replace", "path": "/spec/n", "value": 2},
    {"op": "move", "from": "/spec/s", "path": "/spec/l/0/k"},
]
ODD = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "..",
    [],
    {},
    [None],
    {"": None},
    "9" * 30,
    2**62,
    ["a", 1],
    "\u2028",
    [[]],
    {"a": {}},
]

OBJECTS = "/apis/f.dev/v1/namespaces/default/ts"
PODS = "/api/v1/namespaces/default/pods"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
REVIEWS = [
    *(
        f"/apis/authorization.k8s.io/v1/{kind}reviews"
        for kind in ("selfsubjectaccess", "selfsubjectrules", "subjectaccess")
    ),
    *(f"/apis/authentication.k8s.io/v1/{kind}reviews" for kind in ("token", "selfsubject")),
    "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews",
]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
REQUESTS = [
    ("POST", HOOKS, WEBHOOKS, "application/json"),
    ("PATCH", f"{HOOKS}/w", WEBHOOKS, "application/merge-patch+json"),
    ("DELETE", f"{HOOKS}/w", DELETION, "application/json"),
    ("POST", CRDS, DEFINITION, "application/json"),
    ("PATCH", f"{CRDS}/ts.f.dev", DEFINITION, "application/merge-patch+json"),
    ("POST", OBJECTS, OBJECT, "application/json"),
    ("PUT", f"{OBJECTS}/a", OBJECT, "application/json"),
    ("PUT", f"{OBJECTS}/a/status", OBJECT, "application/json"),
    ("PATCH", f"{OBJECTS}/a", OBJECT, "application/merge-patch+json"),
    ("PATCH", f"{OBJECTS}/a", OBJECT, "application/apply-patch+yaml"),
    ("PATCH", f"{OBJECTS}/a/status", OBJECT, "application/apply-patch+yaml"),
    ("PATCH", f"{OBJECTS}/a", OPERATIONS, "application/json-patch+json"),
    ("PUT", f"{OBJECTS}/a/scale", {"metadata": {"resourceVersion": ""}, "spec": {"replicas": 2}}, "application/json"),
    ("PATCH", f"{OBJECTS}/a/scale", {"spec": {"replicas": 2}}, "application/merge-patch+json"),
    ("DELETE", f"{OBJECTS}/a", DELETION, "application/json"),
    ("DELETE", OBJECTS, DELETION, "application/json"),
    ("POST", PODS, POD, "application/json"),
    ("POST", "/api/v1/namespaces", NAMESPACE, "application/json"),
    ("POST", "/api/v1/namespaces/default/events", EVENT, "application/json"),
    ("PATCH", f"{PODS}/a", POD, "application/strategic-merge-patch+json"),
    ("PATCH", f"{PODS}/a", POD, "application/apply-patch+yaml"),
    ("POST", "/apis/apps/v1/namespaces/default/deployments", DEPLOYMENT, "application/json"),
    ("PATCH", "/apis/apps/v1/namespaces/default/deployments/d", DEPLOYMENT, "application/apply-patch+yaml"),
    ("POST", "/api/v1/namespaces/default/services", SERVICE, "application/json"),
    ("PATCH", "/api/v1/namespaces/default/services/s", SERVICE, "application/merge-patch+json"),
    ("POST", "/apis/batch/v1/namespaces/default/jobs", JOB, "application/json"),
    ("POST", ROLES, ROLE, "application/json"),
    ("PATCH", f"{ROLES}/r", ROLE, "application/apply-patch+yaml"),
    ("POST", BINDINGS, BINDING, "application/json"),
    ("PATCH", f"{BINDINGS}/b", BINDING, "application/merge-patch+json"),
    ("POST", ACCOUNTS, ACCOUNT, "application/json"),
    ("POST", f"{ACCOUNTS}/a/token", TOKEN, "application/json"),
    *(("POST", path, ACCESS, "application/json") for path in REVIEWS),
]
HEADERS = [  # of who sends it; in most requests nothing is said
    *([("X-Nothing", "")] for _ in range(12)),
    [("Impersonate-User", "ann")],
    [("Impersonate-User", "ann"), ("Impersonate-Group", ""), ("Impersonate-Extra-x%y", "z")],
    [("Impersonate-User", "system:serviceaccount:default:")],
    [("Impersonate-Uid", "u"), ("Impersonate-User", "system:serviceaccount:default:a")],
    [("Authorization", "Bearer eyJ.e30.x")],
    [("Authorization", "Bearer a.b.c.d")],
    [("Authorization", "Basic \u20ac")],
]
QUERIES = {
    "labelSelector": ["a=b", "a in (", "!"],
    "fieldSelector": ["metadata.name=a", "x"],
    "limit": ["1", "-1", "x"],
    "continue": ["", "abc", "eyJ2IjoxfQ"],
    "resourceVersion": ["0", "1", "x"],
    "resourceVersionMatch": ["Exact", "NotOlderThan", "y"],
    "dryRun": ["All", "x"],
    "fieldValidation": ["Strict", "z"],
    "fieldManager": ["m", "x" * 200],
    "force": ["true", "no"],
    "propagationPolicy": ["Foreground", "p"],
    "timeoutSeconds": ["1", "x"],
    "sendInitialEvents": ["true", "x"],
}
ROUNDS = int(os.environ.get("WINDLASS_FUZZ_ROUNDS", "10000"))  # of two requests
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def places(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def mutated(value, rng):
    """The value with a few of its parts replaced by something odd, or taken out."""
    result = {"": copy.deepcopy(value)}
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        *parents, last = ("", *rng.choice(list(places(result[""]))))
        holder = result
        for key in parents:
            holder = holder[key]
        if rng.random() < 0.2 and last != "":
            del holder[last]
        else:
            holder[last] = copy.deepcopy(rng.choice(ODD))
    return result[""]


@pytest.mark.realtime(limit=600)
async def test_malformed_requests_are_refused_and_never_fail():
    seed = announced_seed()
    rng = random.Random(seed)
    async with ApiServer(settings=Settings(rng=random.Random(seed))) as server, aiohttp.ClientSession() as session:
        seen = collections.Counter()
        for _ in range(ROUNDS):
            method, path, body, content_type = rng.choice(REQUESTS)
            names = rng.sample(list(QUERIES), rng.choice([0, 0, 1, 2]))
            params = {name: rng.choice(QUERIES[name]) for name in names}
            headers = [("Content-Type", content_type), *rng.choice(HEADERS)]
            body = json.dumps(mutated(body, rng))
            async with session.request(
                method, server.url + path, data=body, params=params, headers=headers
            ) as response:
                text = await response.text()
                known = "resourceVersion should not be set on objects to be created" in text  # CR-02 is a 500
                known = known or "the spec replicas field" in text  # and so is SS-04
                seen[method, path, response.status < 300] += 1
                assert response.status < 500 or known, (seed, method, path, params, body, text)
            listed = [OBJECTS, PODS, CRDS, HOOKS, ROLES, BINDINGS, "/api/v1/services", "/api/v1/events"]
            url = server.url + rng.choice(listed)
            async with session.get(url, params=params, headers={"Accept": rng.choice([TABLE, "*/*"])}) as response:
                assert response.status < 500, (seed, url, params, await response.text())
    reached = {place[:2] for place in seen if place[2]}
    assert len(reached) > len(REQUESTS) / 2, reached  # it is no use if nothing but refusals comes back
