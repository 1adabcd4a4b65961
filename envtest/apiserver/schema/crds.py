"""A CustomResourceDefinition is checked, completed and turned into the kinds it defines; all of it pure.

Who writes the result into the store and the registry is `definitions`. Rules R-01 … R-11 and K-06; schemas themselves
are judged in `schemas`.
"""

import re
from collections.abc import Iterable
from typing import Any

import attrs

from windlass.envtest.apiserver.errors import Fault
from windlass.envtest.apiserver.extension.conversion import Conversion
from windlass.envtest.apiserver.extension.registrations import REVIEW_VERSIONS, client_faults, complete_client
from windlass.envtest.apiserver.extension.webhooks import endpoint_of
from windlass.envtest.apiserver.kinds import Column, Resource, Scale
from windlass.envtest.apiserver.schema.pruning import has_defaults
from windlass.envtest.apiserver.schema.rules import UNEVALUATED, Rules, rule_faults, unevaluated
from windlass.envtest.apiserver.schema.schemas import schema_faults
from windlass.envtest.apiserver.values import Json, encode, json_type, same

__all__ = (
    "CLEANUP_FINALIZER",
    "CRD",
    "complete",
    "crd_faults",
    "defined_by",
    "established",
    "resources_of",
    "set_condition",
    "warnings",
    "with_status",
)

CRD = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"

_LABEL = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_GROUP = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)+\Z")
_SIMPLE_PATH = re.compile(r"(?:\.[A-Za-z_][-A-Za-z0-9_]*)+\Z")
_COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")


def complete(crd: Json) -> None:
    """Fill in what may be left out: singular, listKind, conversion. Changes `crd`."""
    spec = crd.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if isinstance(spec, dict) and isinstance(names, dict) and isinstance(names.get("kind"), str):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
        conversion = spec.setdefault("conversion", {"strategy": "None"})
        complete_client(((conversion or {}).get("webhook") or {}).get("clientConfig"))


def warnings(crd: Json) -> list[str]:
    """What its author should know of a definition that is stored all the same."""
    return [UNEVALUATED] if unevaluated(crd.get("spec")) else []


def crd_faults(crd: Json, old: Json | None = None) -> list[Fault]:
    """Everything that is wrong with a definition."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return [Fault.required("spec")]
    names, versions = spec.get("names"), spec.get("versions")
    if not isinstance(names, dict):
        return [Fault.required("spec.names")]
    if not isinstance(versions, list) or not all(isinstance(version, dict) for version in versions):
        return [Fault.required("spec.versions")]
    faults = _identity(crd, spec, names) + _versions(versions) + _conversion(spec)
    for index, version in enumerate(versions):
        faults += _version(version, _Places.of(versions, index))
    if old is not None:
        faults += _immutable(spec, old["spec"])
        stored = (old.get("status") or {}).get("storedVersions") or []
        missing = [name for name in stored if name not in {version.get("name") for version in versions}]
        if missing:
            detail = f"missing from spec.versions; {missing} was previously a storage version, and must remain there"
            faults.append(Fault.invalid("status.storedVersions[0]", missing[0], detail))
    return faults


def _identity(crd: Json, spec: Json, names: Json) -> list[Fault]:
    faults = []
    group, plural, kind = (str(value or "") for value in (spec.get("group"), names.get("plural"), names.get("kind")))
    if not _GROUP.match(group):
        faults.append(Fault.invalid("spec.group", group, "should be a domain with at least one dot"))
    if crd["metadata"].get("name") != f"{plural}.{group}":
        detail = "must be spec.names.plural+'.'+spec.group"
        faults.append(Fault.invalid("metadata.name", crd["metadata"].get("name"), detail))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        choices = ("Cluster", "Namespaced")
        missing = not spec.get("scope")
        faults.append(
            Fault.required("spec.scope") if missing else Fault.unsupported("spec.scope", spec["scope"], choices)
        )
    words = {"plural": plural, "singular": str(names.get("singular", "")), "kind": kind.lower()}
    words["listKind"] = str(names.get("listKind", "")).lower()
    for field, word in words.items():
        if not word:
            faults.append(Fault.required(f"spec.names.{field}"))
        elif not _LABEL.match(word):
            faults.append(Fault.invalid(f"spec.names.{field}", names.get(field), "a DNS-1035 label is required"))
    for field in ("shortNames", "categories"):
        for index, word in enumerate(names.get(field) or []):
            if not isinstance(word, str) or not _LABEL.match(word):
                faults.append(Fault.invalid(f"spec.names.{field}[{index}]", word, "a DNS-1035 label is required"))
    if kind and kind == names.get("listKind"):
        faults.append(Fault.invalid("spec.names.listKind", kind, "kind and listKind may not be the same"))
    return faults


def _versions(versions: list[Json]) -> list[Fault]:
    names = [version.get("name") for version in versions]
    faults = [] if versions else [Fault.required("spec.versions")]
    for index, name in enumerate(names):
        if not isinstance(name, str) or not _LABEL.match(name):
            faults.append(Fault.invalid(f"spec.versions[{index}].name", name, "a DNS-1035 label is required"))
        elif name in names[:index]:
            faults.append(Fault.invalid("spec.versions", names, "must contain unique version names"))
    if sum(version.get("storage") is True for version in versions) != 1:
        faults.append(Fault.invalid("spec.versions", names, "must have exactly one version marked as storage version"))
    return faults


def _conversion(spec: Json) -> list[Fault]:
    """R-09."""
    conversion, path = spec.get("conversion") or {}, "spec.conversion"
    webhook, strategy = conversion.get("webhook") or {}, conversion.get("strategy")
    client, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    faults = []
    if strategy not in ("None", "Webhook"):
        missing = Fault.required(f"{path}.strategy")
        faults.append(Fault.unsupported(f"{path}.strategy", strategy, ("None", "Webhook")) if strategy else missing)
    if strategy != "Webhook":
        detail = "should not be set when strategy is not set to Webhook"
        given = {"webhookClientConfig": client, "conversionReviewVersions": versions}
        return faults + [Fault.forbidden(f"{path}.{field}", detail) for field, value in given.items() if value]
    if client is None:
        faults.append(Fault.required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook"))
    else:
        faults += client_faults(client, f"{path}.webhookClientConfig")
    if not versions:
        faults.append(Fault.required(f"{path}.conversionReviewVersions"))
    elif not any(version in REVIEW_VERSIONS for version in versions):
        detail = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        faults.append(Fault.invalid(f"{path}.conversionReviewVersions", versions, detail))
    return faults


@attrs.frozen
class _Places:
    """Where the parts of a version stand in messages: what all versions have alike counts as the definition's own.

    Empty: it was reported with the first version already.
    """

    version: str
    schema: str
    subresources: str
    columns: str

    @classmethod
    def of(cls, versions: list[Json], index: int) -> "_Places":
        version = f"spec.versions[{index}]"

        def place(part: str, own: str, shared: str) -> str:
            if not all(same(one.get(part), versions[0].get(part)) for one in versions) or not versions[0].get(part):
                return own
            return shared if index == 0 else ""

        return cls(
            version,
            place("schema", f"{version}.schema", "spec.validation"),
            place("subresources", f"{version}.subresources", "spec.subresources"),
            place("additionalPrinterColumns", f"{version}.additionalPrinterColumns", "spec.additionalPrinterColumns"),
        )


def _version(version: Json, places: _Places) -> list[Fault]:
    holder = version.get("schema")
    schema = holder.get("openAPIV3Schema") if isinstance(holder, dict) else None
    faults = schema_faults(schema, f"{places.schema}.openAPIV3Schema") if places.schema else []
    if isinstance(schema, dict) and places.schema and not faults:
        faults += rule_faults(schema, f"{places.schema}.openAPIV3Schema")
    for flag in ("served", "storage"):
        if not isinstance(version.get(flag), bool):
            faults.append(Fault.required(f"{places.version}.{flag}"))
    subresources = version.get("subresources") or {}
    if "status" in subresources and isinstance(schema, dict):
        faults += [
            Fault.invalid(
                f"{places.schema}.openAPIV3Schema", keyword, "is not allowed at the root with the status subresource"
            )
            for keyword in ("allOf", "anyOf", "oneOf", "not")
            if keyword in schema
        ]
    if "scale" in subresources and places.subresources:
        faults += _scale(subresources["scale"] or {}, f"{places.subresources}.scale")
    for index, column in enumerate(version.get("additionalPrinterColumns") or []):
        faults += _column(column, f"{places.columns}[{index}]") if places.columns else []
    return faults


def _scale(scale: Json, path: str) -> list[Fault]:
    faults = []
    for field, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        found = scale.get(field)
        if not found:
            faults.append(Fault.required(f"{path}.{field}"))
        elif not isinstance(found, str) or not _SIMPLE_PATH.match(found) or not found.startswith(root):
            faults.append(Fault.invalid(f"{path}.{field}", found, f"should be a json path under {root[:-1]}"))
    return faults


def _column(column: Any, path: str) -> list[Fault]:
    if not isinstance(column, dict):
        return [Fault.wrong_type(path, json_type(column), "object")]
    needed = {"name": "name", "type": "type", "jsonPath": "JSONPath"}
    faults = [Fault.required(f"{path}.{shown}") for field, shown in needed.items() if not column.get(field)]
    if column.get("type") and column["type"] not in _COLUMN_TYPES:
        faults.append(Fault.unsupported(f"{path}.type", column["type"], _COLUMN_TYPES))
    return faults


def _immutable(spec: Json, old: Json) -> list[Fault]:
    pairs = [(f"spec.{field}", spec.get(field), old.get(field)) for field in ("group", "scope")]
    names, before = spec["names"], old["names"]
    pairs += [(f"spec.names.{field}", names.get(field), before.get(field)) for field in ("plural", "kind")]
    return [Fault.invalid(field, new, "field is immutable") for field, new, past in pairs if new != past]


def with_status(crd: Json, others: Iterable[Json], now: str) -> Json:
    """The definition with the status that the server gives it: accepted names, conditions, stored versions (K-06)."""
    names, status = crd["spec"]["names"], dict(crd.get("status") or {})
    clash = _clash(crd, others)
    conditions = list(status.get("conditions") or [])
    if clash:
        set_condition(conditions, "NamesAccepted", ("False", clash[0], clash[1]), now)
        set_condition(conditions, "Established", ("False", "NotAccepted", "not all names are accepted"), now)
    else:
        status["acceptedNames"] = dict(names)
        set_condition(conditions, "NamesAccepted", ("True", "NoConflicts", "no conflicts found"), now)
        message = "the initial names have been accepted"
        set_condition(conditions, "Established", ("True", "InitialNamesAccepted", message), now)
    if crd["metadata"].get("deletionTimestamp"):
        state = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        set_condition(conditions, "Terminating", state, now)
    storage = next(version["name"] for version in crd["spec"]["versions"] if version["storage"])
    stored = list(status.get("storedVersions") or [])
    status["storedVersions"] = stored if storage in stored else [*stored, storage]
    status["conditions"] = conditions
    return crd | {"status": status}


def _clash(crd: Json, others: Iterable[Json]) -> tuple[str, str] | None:
    names = crd["spec"]["names"]
    for other in others:
        if other["spec"]["group"] != crd["spec"]["group"] or other["metadata"]["name"] == crd["metadata"]["name"]:
            continue
        taken = (other.get("status") or {}).get("acceptedNames") or {}
        words = {taken.get("plural"), taken.get("singular"), *(taken.get("shortNames") or [])}
        for word in (names["plural"], names.get("singular"), *(names.get("shortNames") or [])):
            if word and word in words:
                return "NamesConflict", f'"{word}" is already in use'
        if names["kind"] in (taken.get("kind"), taken.get("listKind")):
            return "KindConflict", f'"{names["kind"]}" is already in use'
    return None


def set_condition(conditions: list[Json], kind: str, state: tuple[str, str, str], now: str) -> None:
    """Set a condition to (status, reason, message); its time moves with its status only. Changes the list."""
    status, reason, message = state
    old = next((condition for condition in conditions if condition["type"] == kind), None)
    since = old["lastTransitionTime"] if old is not None and old["status"] == status else now
    new = {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}
    if old is None:
        conditions.append(new)
    else:
        conditions[conditions.index(old)] = new


def defined_by(crd: Json) -> str:
    """The resource that a definition is about: its plural with the group."""
    return f"{crd['spec']['names']['plural']}.{crd['spec']['group']}"


def established(crd: Json) -> bool:
    """Whether the kinds are served."""
    conditions = (crd.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def resources_of(crd: Json, revision: int) -> list[Resource]:
    """The kinds of an established definition, one for each served version; `revision` is when it took effect."""
    if not established(crd):
        return []
    spec, names = crd["spec"], crd["spec"]["names"]
    storage = next(version["name"] for version in spec["versions"] if version["storage"])
    schemas = {f"{spec['group']}/{one['name']}": one["schema"]["openAPIV3Schema"] for one in spec["versions"]}
    return [
        Resource(
            spec["group"],
            version["name"],
            names["kind"],
            names["plural"],
            namespaced=spec["scope"] == "Namespaced",
            singular=names.get("singular", ""),
            list_kind=names.get("listKind", ""),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            status="status" in (version.get("subresources") or {}),
            scale=_scale_of(version),
            columns=_columns_of(version),
            conditional=True,
            custom=True,
            schema=version["schema"]["openAPIV3Schema"],
            rules=Rules.of(version["schema"]["openAPIV3Schema"]),
            embeds=b"x-kubernetes-embedded-resource" in encode(version["schema"]),
            storage_version=storage,
            schemas=schemas,
            conversion=_conversion_of(spec),
            defined_at=revision if has_defaults(version["schema"]) else 0,
            terminating=bool(crd["metadata"].get("deletionTimestamp")),
            warning=_warning(version, spec, names),
            selectable=tuple(field["jsonPath"] for field in version.get("selectableFields") or []),
        )
        for version in spec["versions"]
        if version["served"]
    ]


def _conversion_of(spec: Json) -> Conversion | None:
    found = spec.get("conversion") or {}
    if found.get("strategy") != "Webhook":
        return None
    versions = found["webhook"]["conversionReviewVersions"]
    version = next(one for one in versions if one in REVIEW_VERSIONS)
    return Conversion(endpoint_of(found["webhook"]["clientConfig"]), f"apiextensions.k8s.io/{version}")


def _warning(version: Json, spec: Json, names: Json) -> str:
    if not version.get("deprecated"):
        return ""
    return str(version.get("deprecationWarning") or f"{spec['group']}/{version['name']} {names['kind']} is deprecated")


def _scale_of(version: Json) -> Scale | None:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return None
    return Scale(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", ""))


def _columns_of(version: Json) -> tuple[Column, ...]:
    columns = version.get("additionalPrinterColumns")
    if not columns:
        return (Column("Age", "date", ".metadata.creationTimestamp"),)
    return tuple(
        Column(
            column["name"],
            column["type"],
            column["jsonPath"],
            column.get("priority", 0),
            column.get("description", ""),
            column.get("format", ""),
        )
        for column in columns
    )
