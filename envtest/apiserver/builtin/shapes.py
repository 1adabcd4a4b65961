"""The JSON types that the server relies on in built-in kinds and definitions; a body that breaks them is refused (400).

A real API server decodes into Go types and refuses what does not fit; here the few fields that code reads are
declared in the same schema language that custom kinds use. Everything else in a built-in kind is free. Pure.
"""

from windlass.envtest.apiserver.builtin.accesskinds import ACCESS_SHAPES
from windlass.envtest.apiserver.kinds import Resource
from windlass.envtest.apiserver.schema.validation import validate
from windlass.envtest.apiserver.values import Json, json_type

__all__ = ("delete_options_fault", "schema_shape_fault", "shape_fault")

_TEXT: Json = {"type": "string", "nullable": True}
_FLAG: Json = {"type": "boolean", "nullable": True}
_COUNT: Json = {"type": "integer", "nullable": True}


def _object(**properties: Json) -> Json:
    return {"type": "object", "nullable": True, "properties": properties}


def _list(items: Json) -> Json:
    return {"type": "array", "nullable": True, "items": items | {"nullable": False}}


def _map(values: Json) -> Json:
    return {"type": "object", "nullable": True, "additionalProperties": values | {"nullable": False}}


_CONDITIONS = _list(_object(type=_TEXT, status=_TEXT, reason=_TEXT, message=_TEXT, lastTransitionTime=_TEXT))
_CONTAINER_STATUSES = _list(_object(ready=_FLAG, restartCount=_COUNT))
_COUNTS = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "succeeded"), _COUNT)
_STATUS = _object(
    phase=_TEXT,
    reason=_TEXT,
    conditions=_CONDITIONS,
    containerStatuses=_CONTAINER_STATUSES,
    nodeInfo=_object(),
    **_COUNTS,
)
_SPEC = _object(
    containers=_list(_object(name=_TEXT)),
    finalizers=_list(_TEXT),
    selector={"x-kubernetes-preserve-unknown-fields": True, "nullable": True},
    template=_object(
        metadata=_object(name=_TEXT, labels=_map(_TEXT), annotations=_map(_TEXT)),
        spec=_object(containers=_list(_object(name=_TEXT)), initContainers=_list(_object(name=_TEXT))),
    ),
    ports=_list(_object()),
    replicas=_COUNT,
    completions=_COUNT,
)
_OBJECT = _object(spec=_SPEC, status=_STATUS)
_VERSION = _object(
    name=_TEXT,
    served=_FLAG,
    storage=_FLAG,
    deprecated=_FLAG,
    deprecationWarning=_TEXT,
    schema=_object(),
    subresources=_object(
        status=_object(), scale=_object(specReplicasPath=_TEXT, statusReplicasPath=_TEXT, labelSelectorPath=_TEXT)
    ),
    additionalPrinterColumns=_list(
        _object(name=_TEXT, type=_TEXT, jsonPath=_TEXT, format=_TEXT, description=_TEXT, priority=_COUNT)
    ),
    selectableFields=_list(_object(jsonPath=_TEXT) | {"required": ["jsonPath"]}),
)
_NAMES = _object(
    plural=_TEXT, singular=_TEXT, kind=_TEXT, listKind=_TEXT, shortNames=_list(_TEXT), categories=_list(_TEXT)
)
_TEXTS = _list(_TEXT)
_SELECTOR = _object(matchLabels=_map(_TEXT), matchExpressions=_list(_object(key=_TEXT, operator=_TEXT, values=_TEXTS)))
_CLIENT = _object(
    url=_TEXT,
    caBundle=_TEXT | {"format": "byte"},
    service=_object(name=_TEXT, namespace=_TEXT, path=_TEXT, port=_COUNT),
)
_CONVERSION = _object(strategy=_TEXT, webhook=_object(clientConfig=_CLIENT, conversionReviewVersions=_TEXTS))
_CRD_STATUS = _object(conditions=_CONDITIONS, acceptedNames=_NAMES, storedVersions=_list(_TEXT))
_CRD_SPEC = _object(group=_TEXT, scope=_TEXT, names=_NAMES, versions=_list(_VERSION), conversion=_CONVERSION)

_RULES = _list(_object(apiGroups=_TEXTS, apiVersions=_TEXTS, operations=_TEXTS, resources=_TEXTS, scope=_TEXT))
_WEBHOOKS = _object(
    webhooks=_list(
        _object(
            clientConfig=_CLIENT,
            rules=_RULES,
            namespaceSelector=_SELECTOR,
            objectSelector=_SELECTOR,
            admissionReviewVersions=_TEXTS,
            timeoutSeconds=_COUNT,
            **dict.fromkeys(("name", "failurePolicy", "matchPolicy", "sideEffects", "reinvocationPolicy"), _TEXT),
        )
    )
)

_SHAPES: dict[str, Json] = {
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "configmaps": _object(data=_map(_TEXT), binaryData=_map(_TEXT), immutable=_FLAG),
    "secrets": _object(data=_map(_TEXT | {"format": "byte"}), stringData=_map(_TEXT), type=_TEXT, immutable=_FLAG),
    "services": _object(
        spec=_object(
            ports=_list(_object(name=_TEXT, protocol=_TEXT, port=_COUNT, nodePort=_COUNT)),
            clusterIPs=_list(_TEXT),
            externalIPs=_list(_TEXT),
            selector=_map(_TEXT),
            **dict.fromkeys(("type", "clusterIP", "externalName", "sessionAffinity"), _TEXT),
        ),
        status=_object(loadBalancer=_object(ingress=_list(_object(ip=_TEXT, hostname=_TEXT)))),
    ),
    "events": _object(
        involvedObject=_object(kind=_TEXT, name=_TEXT, namespace=_TEXT, uid=_TEXT),
        source=_object(component=_TEXT),
        reason=_TEXT,
        message=_TEXT,
        type=_TEXT,
        **dict.fromkeys(("firstTimestamp", "lastTimestamp", "eventTime"), _TEXT),
    ),
    "events.events.k8s.io": _object(
        regarding=_object(kind=_TEXT, name=_TEXT, namespace=_TEXT, uid=_TEXT),
        related=_object(kind=_TEXT, name=_TEXT, namespace=_TEXT, uid=_TEXT),
        deprecatedSource=_object(component=_TEXT),
        deprecatedCount=_COUNT,
        series=_object(count=_COUNT, lastObservedTime=_TEXT),
        **dict.fromkeys(("note", "reason", "type", "action", "reportingController", "reportingInstance"), _TEXT),
        **dict.fromkeys(("eventTime", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"), _TEXT),
    ),
    "customresourcedefinitions.apiextensions.k8s.io": _object(spec=_CRD_SPEC, status=_CRD_STATUS),
    **ACCESS_SHAPES,
}


def shape_fault(obj: Json, resource: Resource) -> str:
    """The first field of a built-in kind whose type is wrong, in one line; empty if there is none."""
    if resource.custom:
        return ""
    faults = validate(obj, _SHAPES.get(resource.qualified, _OBJECT))
    return f"{faults[0].field}: {faults[0].message}" if faults else ""


_DELETE_OPTIONS = _object(
    kind=_TEXT | {"enum": ["DeleteOptions"]},
    apiVersion=_TEXT,
    dryRun=_list(_TEXT),
    gracePeriodSeconds=_COUNT,
    orphanDependents=_FLAG,
    propagationPolicy=_TEXT,
    preconditions=_object(uid=_TEXT, resourceVersion=_TEXT),
)


def delete_options_fault(body: Json) -> str:
    """What in the options of a deletion cannot be decoded, in one line; empty if nothing."""
    faults = validate(body, _DELETE_OPTIONS)
    return f"{faults[0].field}: {faults[0].message}" if faults else ""


_NUMBERS = ("minimum", "maximum", "multipleOf")
_COUNTERS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_KEYWORDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_NUMBERS, ("integer", "number")),
    **dict.fromkeys(_COUNTERS, ("integer",)),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum", "nullable", "uniqueItems"), ("boolean",)),
    **dict.fromkeys(("type", "format", "pattern", "title", "description"), ("string",)),
    **dict.fromkeys(("properties", "not"), ("object",)),
    **dict.fromkeys(("required", "enum", "allOf", "anyOf", "oneOf"), ("array",)),
    "items": ("object", "array"),
    "additionalProperties": ("object", "boolean"),
    "x-kubernetes-list-type": ("string",),
    "x-kubernetes-map-type": ("string",),
    "x-kubernetes-list-map-keys": ("array",),
    "x-kubernetes-preserve-unknown-fields": ("boolean",),
    "x-kubernetes-int-or-string": ("boolean",),
    "x-kubernetes-embedded-resource": ("boolean",),
}
_TEXT_LISTS = ("required", "x-kubernetes-list-map-keys")


def schema_shape_fault(schema: object, path: str) -> str:
    """The first keyword of a schema whose value has the wrong type, in one line; empty if there is none."""
    if not isinstance(schema, dict):
        return f"{path}: must be an object, not {json_type(schema)}"
    for keyword, value in schema.items():
        types = _KEYWORDS.get(keyword)
        if types and json_type(value) not in types:
            return f"{path}.{keyword}: must be of type {' or '.join(types)}, not {json_type(value)}"
        if keyword in _TEXT_LISTS and not all(isinstance(item, str) for item in value):
            return f"{path}.{keyword}: must be a list of strings"
    return next(filter(None, (schema_shape_fault(part, place) for part, place in _parts(schema, path))), "")


def _parts(schema: Json, path: str) -> list[tuple[object, str]]:
    parts = [(part, f"{path}.properties[{key}]") for key, part in (schema.get("properties") or {}).items()]
    single = [keyword for keyword in ("items", "additionalProperties", "not") if isinstance(schema.get(keyword), dict)]
    parts += [(schema[keyword], f"{path}.{keyword}") for keyword in single]
    for keyword in ("allOf", "anyOf", "oneOf"):
        parts += [(part, f"{path}.{keyword}[{index}]") for index, part in enumerate(schema.get(keyword) or [])]
    return parts
