"""What kubectl creates by its own commands it may send as protobuf; the kinds and fields that it sets are read.

The field numbers are those of the generated.proto files of Kubernetes, in tables; unknown fields are skipped. Answers
are always JSON, which every client accepts beside protobuf. Pure.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from windlass.envtest.apiserver.errors import ApiError, bad_request
from windlass.envtest.apiserver.values import Json

__all__ = ("PROTOBUF", "decode_protobuf")

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"

Reader = Callable[[Any], Any]
# number -> (name, shape, how to read a value). Of the shapes `one` may be absent, `plain` is always written and means
# nothing where it is zero, `many` and `map` repeat.
Table = dict[int, tuple[str, str, Reader]]


def _text(raw: bytes) -> str:
    return raw.decode()


def _bytes(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _number(value: int) -> int:
    """A signed number: negative ones are written as if they had 64 bits without a sign."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _either(raw: bytes) -> int | str:
    """A number or a text (IntOrString)."""
    found = dict(_fields(raw))
    return _text(found.get(3, b"")) if found.get(1) else _number(found.get(2, 0))


def _message(table: Table) -> Reader:
    return lambda raw: _decode(raw, table)


_OWNER: Table = {
    1: ("kind", "one", _text),
    3: ("name", "one", _text),
    4: ("uid", "one", _text),
    5: ("apiVersion", "one", _text),
    6: ("controller", "one", bool),
    7: ("blockOwnerDeletion", "one", bool),
}
_METADATA: Table = {
    1: ("name", "one", _text),
    2: ("generateName", "one", _text),
    3: ("namespace", "one", _text),
    11: ("labels", "map", _text),
    12: ("annotations", "map", _text),
    13: ("ownerReferences", "many", _message(_OWNER)),
    14: ("finalizers", "many", _text),
}
_REFERENCE: Table = {3: ("name", "one", _text)}
_LOCAL_REFERENCE: Table = {1: ("name", "one", _text)}
_BOUND: Table = {number: (name, "one", _text) for number, name in enumerate(("kind", "apiVersion", "name", "uid"), 1)}
_ACCOUNT: Table = {
    2: ("secrets", "many", _message(_REFERENCE)),
    3: ("imagePullSecrets", "many", _message(_LOCAL_REFERENCE)),
    4: ("automountServiceAccountToken", "one", bool),
}
_RESOURCE: Table = {
    number: (name, "one", _text)
    for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
}
_NON_RESOURCE: Table = {1: ("path", "one", _text), 2: ("verb", "one", _text)}
_ACCESS: Table = {
    1: ("resourceAttributes", "one", _message(_RESOURCE)),
    2: ("nonResourceAttributes", "one", _message(_NON_RESOURCE)),
}
_TOKEN_REQUEST: Table = {
    1: ("audiences", "many", _text),
    3: ("boundObjectRef", "one", _message(_BOUND)),
    4: ("expirationSeconds", "one", _number),
}
_CLAUSE: Table = {1: ("key", "one", _text), 2: ("operator", "one", _text), 3: ("values", "many", _text)}
_SELECTOR: Table = {1: ("matchLabels", "map", _text), 2: ("matchExpressions", "many", _message(_CLAUSE))}
_RULE: Table = {
    number: (name, "many", _text)
    for number, name in enumerate(("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), 1)
}
_AGGREGATION: Table = {1: ("clusterRoleSelectors", "many", _message(_SELECTOR))}
_ROLE: Table = {2: ("rules", "many", _message(_RULE)), 3: ("aggregationRule", "one", _message(_AGGREGATION))}
_SUBJECT: Table = {
    number: (name, "one", _text) for number, name in enumerate(("kind", "apiGroup", "name", "namespace"), 1)
}
_ROLE_REFERENCE: Table = {number: (name, "one", _text) for number, name in enumerate(("apiGroup", "kind", "name"), 1)}
_BINDING: Table = {
    2: ("subjects", "many", _message(_SUBJECT)),
    3: ("roleRef", "one", _message(_ROLE_REFERENCE)),
}
_CONTAINER_PORT: Table = {
    1: ("name", "one", _text),
    2: ("hostPort", "plain", _number),
    3: ("containerPort", "plain", _number),
    4: ("protocol", "one", _text),
    5: ("hostIP", "one", _text),
}
_CONTAINER: Table = {
    1: ("name", "one", _text),
    2: ("image", "one", _text),
    3: ("command", "many", _text),
    4: ("args", "many", _text),
    5: ("workingDir", "one", _text),
    6: ("ports", "many", _message(_CONTAINER_PORT)),
    7: ("env", "many", _message({1: ("name", "one", _text), 2: ("value", "one", _text)})),
    13: ("terminationMessagePath", "one", _text),
    14: ("imagePullPolicy", "one", _text),
    16: ("stdin", "plain", bool),
    17: ("stdinOnce", "plain", bool),
    18: ("tty", "plain", bool),
    20: ("terminationMessagePolicy", "one", _text),
}
_POD: Table = {
    2: ("containers", "many", _message(_CONTAINER)),
    3: ("restartPolicy", "one", _text),
    4: ("terminationGracePeriodSeconds", "one", _number),
    5: ("activeDeadlineSeconds", "one", _number),
    6: ("dnsPolicy", "one", _text),
    7: ("nodeSelector", "map", _text),
    8: ("serviceAccountName", "one", _text),
    9: ("serviceAccount", "one", _text),
    10: ("nodeName", "one", _text),
    11: ("hostNetwork", "plain", bool),
    12: ("hostPID", "plain", bool),
    13: ("hostIPC", "plain", bool),
    16: ("hostname", "one", _text),
    17: ("subdomain", "one", _text),
    19: ("schedulerName", "one", _text),
    20: ("initContainers", "many", _message(_CONTAINER)),
}
_TEMPLATE: Table = {1: ("metadata", "one", _message(_METADATA)), 2: ("spec", "one", _message(_POD))}
_ROLLING: Table = {1: ("maxUnavailable", "one", _either), 2: ("maxSurge", "one", _either)}
_STRATEGY: Table = {1: ("type", "one", _text), 2: ("rollingUpdate", "one", _message(_ROLLING))}
_DEPLOYMENT: Table = {
    1: ("replicas", "one", _number),
    2: ("selector", "one", _message(_SELECTOR)),
    3: ("template", "one", _message(_TEMPLATE)),
    4: ("strategy", "one", _message(_STRATEGY)),
    5: ("minReadySeconds", "plain", _number),
    6: ("revisionHistoryLimit", "one", _number),
    7: ("paused", "plain", bool),
    9: ("progressDeadlineSeconds", "one", _number),
}
_JOB: Table = {
    1: ("parallelism", "one", _number),
    2: ("completions", "one", _number),
    3: ("activeDeadlineSeconds", "one", _number),
    4: ("selector", "one", _message(_SELECTOR)),
    5: ("manualSelector", "one", bool),
    6: ("template", "one", _message(_TEMPLATE)),
    7: ("backoffLimit", "one", _number),
    8: ("ttlSecondsAfterFinished", "one", _number),
    9: ("completionMode", "one", _text),
    10: ("suspend", "one", bool),
}
_SERVICE_PORT: Table = {
    1: ("name", "one", _text),
    2: ("protocol", "one", _text),
    3: ("port", "plain", _number),
    4: ("targetPort", "one", _either),
    5: ("nodePort", "plain", _number),
    6: ("appProtocol", "one", _text),
}
_SERVICE: Table = {
    1: ("ports", "many", _message(_SERVICE_PORT)),
    2: ("selector", "map", _text),
    3: ("clusterIP", "one", _text),
    4: ("type", "one", _text),
    5: ("externalIPs", "many", _text),
    7: ("sessionAffinity", "one", _text),
    8: ("loadBalancerIP", "one", _text),
    10: ("externalName", "one", _text),
    11: ("externalTrafficPolicy", "one", _text),
    12: ("healthCheckNodePort", "plain", _number),
    13: ("publishNotReadyAddresses", "plain", bool),
    18: ("clusterIPs", "many", _text),
}


def _spec(table: Table) -> Table:
    return {2: ("spec", "one", _message(table))}


_KINDS: dict[tuple[str, str], Table] = {
    ("apps/v1", "Deployment"): _spec(_DEPLOYMENT),
    ("authentication.k8s.io/v1", "SelfSubjectReview"): {},
    ("authentication.k8s.io/v1", "TokenRequest"): _spec(_TOKEN_REQUEST),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): _spec(_ACCESS),
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): _spec({1: ("namespace", "one", _text)}),
    ("batch/v1", "Job"): _spec(_JOB),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io/v1", "Role"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _BINDING,
    ("v1", "Namespace"): {},
    ("v1", "ConfigMap"): {2: ("data", "map", _text), 3: ("binaryData", "map", _bytes), 4: ("immutable", "one", bool)},
    ("v1", "Secret"): {
        2: ("data", "map", _bytes),
        3: ("type", "one", _text),
        4: ("stringData", "map", _text),
        5: ("immutable", "one", bool),
    },
    ("v1", "Service"): _spec(_SERVICE),
    ("v1", "ServiceAccount"): _ACCOUNT,
}


def decode_protobuf(raw: bytes) -> Json:
    """The object of a request body; raises 400 on a broken message and 415 on a kind that is not known here."""
    if not raw.startswith(_MAGIC):
        raise bad_request("the body is not Kubernetes protobuf: the first bytes are wrong")
    try:
        return _object(raw[len(_MAGIC) :])
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise bad_request(f"error decoding the protobuf body: {error}") from None


def _object(raw: bytes) -> Json:
    envelope = dict(_fields(raw))
    identity = dict(_fields(envelope.get(1, b"")))
    version, kind = _text(identity.get(1, b"")), _text(identity.get(2, b""))
    table = _KINDS.get((version, kind))
    if table is None:
        message = f"{kind} in version {version} cannot be read as protobuf here; send application/json"
        raise ApiError(415, "UnsupportedMediaType", message)
    body = _decode(envelope.get(2, b""), table | {1: ("metadata", "one", _message(_METADATA))})
    return {"apiVersion": version, "kind": kind} | body


def _decode(raw: bytes, table: Table) -> Json:
    found: Json = {}
    for number, value in _fields(raw):
        if number not in table:
            continue
        name, shape, read = table[number]
        if shape in ("one", "plain"):
            found[name] = read(value)
            if shape == "plain" and not found[name]:
                del found[name]
        elif shape == "many":
            found.setdefault(name, []).append(read(value))
        else:
            pair = dict(_fields(value))
            found.setdefault(name, {})[_text(pair.get(1, b""))] = read(pair.get(2, b""))
    return {name: value for name, value in found.items() if value not in ("", {})}


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        match tag & 7:
            case 0:
                value, position = _varint(raw, position)
                yield tag >> 3, value
            case 2:
                length, position = _varint(raw, position)
                if position + length > len(raw):
                    raise ValueError("a field is longer than its message")
                yield tag >> 3, raw[position : position + length]
                position += length
            case 1 | 5 as kind:
                position += 8 if kind == 1 else 4
            case kind:
                raise ValueError(f"wire type {kind} is not used by Kubernetes")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")
