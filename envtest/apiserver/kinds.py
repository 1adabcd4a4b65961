"""What the server knows of a kind is one frozen value; built-in ones are a table, a CRD adds rows of the same type.

Light type knowledge only: scope, names, subresources, printer columns, what may be updated how. `builtins` holds the
few defaults and rules of the built-in kinds, `schemas` the rules of custom ones. Storage does not know kinds.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from windlass.envtest.apiserver.builtin.events import EVENTS, event_in
from windlass.envtest.apiserver.extension.conversion import Conversion, Convert
from windlass.envtest.apiserver.schema.rules import Rules
from windlass.envtest.apiserver.values import Json

__all__ = ("BUILT_IN", "VERBS", "Column", "Registry", "Resource", "Scale", "version_order")

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@attrs.frozen
class Column:
    """A printer column: either a path into the object, or a function for the ones that are computed.

    A computed `duration` is a pair of times, the second empty for now.
    """

    name: str
    type: str = "string"
    path: str = ""
    priority: int = 0
    description: str = ""
    format: str = ""
    compute: Callable[[Json], Any] | None = None


@attrs.frozen
class Scale:
    """Where a kind keeps what the scale subresource shows."""

    spec_replicas: str
    status_replicas: str
    label_selector: str = ""


@attrs.frozen(eq=False)
class Resource:
    """One served version of one kind."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False  # the status subresource
    scale: Scale | None = None
    columns: tuple[Column, ...] = ()
    generation: bool = True  # metadata.generation counts
    conditional: bool = False  # a PUT must name the resource version (U-02)
    create_on_update: bool = False
    custom: bool = False
    schema: Json | None = None  # of a custom kind
    rules: Rules | None = None  # the CEL rules of the schema
    embeds: bool = False  # the schema has embedded resources somewhere
    storage_version: str = ""
    schemas: Json = attrs.field(factory=dict, repr=False)  # of all versions, by apiVersion
    conversion: Conversion | Convert | None = None  # between the versions, by a webhook or of the server's own
    stored_as: tuple[str, str] | None = None  # qualified name and apiVersion of the kind that this one is, too
    defined_at: int = 0  # the revision at which this definition took effect; older objects are defaulted when read
    review: bool = False  # a question: a POST answers it, nothing is stored
    terminating: bool = False
    warning: str = ""
    selectable: tuple[str, ...] = ()
    segment_names: bool = False  # any name that can stand in a path

    @property
    def qualified(self) -> str:
        """The plural with its group, as in messages and storage keys: `widgets.ex.dev`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`group/version`, or just the version in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def place(self) -> str:
        """The qualified name under which its objects are stored: its own, but for Events, which have two."""
        return self.qualified if self.stored_as is None else self.stored_as[0]

    @property
    def stored_group(self) -> str:
        """The group of `place`, as errors name it."""
        return self.group if self.stored_as is None else self.place.partition(".")[2]

    @property
    def stored_api_version(self) -> str:
        """The apiVersion in which its objects are stored."""
        if self.stored_as is not None:
            return self.stored_as[1]
        return f"{self.group}/{self.storage_version}" if self.storage_version else self.api_version

    @property
    def listing(self) -> str:
        """The kind of a list."""
        return self.list_kind or f"{self.kind}List"

    def header(self) -> bytes:
        """How the JSON of every object of this version begins."""
        return f'{{"apiVersion":"{self.api_version}","kind":"{self.kind}",'.encode()


def _path(path: str) -> Callable[[Json], Any]:
    def read(obj: Json) -> Any:
        current: Any = obj
        for part in path.split("."):
            current = current.get(part) if isinstance(current, dict) else None
        return current

    return read


def _ready_containers(pod: Json) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    ready = sum(status.get("ready") is True for status in statuses)
    return f"{ready}/{len(pod.get('spec', {}).get('containers') or [])}"


def _pod_status(pod: Json) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = pod.get("status") or {}
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _restarts(pod: Json) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return str(sum(status.get("restartCount", 0) for status in statuses))


def _or_none(path: str) -> Callable[[Json], Any]:
    return lambda obj: _path(path)(obj) or "<none>"


def _readiness_gates(pod: Json) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    conditions = (pod.get("status") or {}).get("conditions") or ()
    true = {condition.get("type") for condition in conditions if condition.get("status") == "True"}
    met = sum(isinstance(gate, dict) and gate.get("conditionType") in true for gate in gates)
    return f"{met}/{len(gates)}" if gates else "<none>"


def _size(field: str) -> Callable[[Json], Any]:
    return lambda obj: len(obj.get(field) or ())


def _fraction(top: str, bottom: str) -> Callable[[Json], Any]:
    return lambda obj: f"{_path(top)(obj) or 0}/{_path(bottom)(obj) or 0}"


def _node_status(node: Json) -> str:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = next((condition.get("status") for condition in conditions if condition.get("type") == "Ready"), "Unknown")
    text = {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown")
    return text + (",SchedulingDisabled" if (node.get("spec") or {}).get("unschedulable") else "")


def _roles(node: Json) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = sorted(label[len(prefix) :] for label in node["metadata"].get("labels") or {} if label.startswith(prefix))
    return ",".join(roles) or "<none>"


def _job_status(job: Json) -> str:
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed", "Suspended"):
            return str(condition["type"])
    return "Running"


def _completions(job: Json) -> str:
    spec, done = job.get("spec") or {}, (job.get("status") or {}).get("succeeded") or 0
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _run_time(job: Json) -> tuple[str, str] | None:
    """When it began and ended; the end is empty until it has."""
    status = job.get("status") or {}
    start = status.get("startTime")
    return (str(start), str(status.get("completionTime") or "")) if start else None


def _external_address(service: Json) -> str:
    spec, status = service.get("spec") or {}, service.get("status") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or "<none>")
    given = [str(one) for one in spec.get("externalIPs") or ()]
    if spec.get("type") == "LoadBalancer":
        ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
        given += [str(one.get("ip") or one.get("hostname")) for one in ingress]
        return ",".join(given) or "<pending>"
    return ",".join(given) or "<none>"


def _service_ports(service: Json) -> str:
    ports = (service.get("spec") or {}).get("ports") or []
    return ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in ports) or "<none>"


def _event_object(event: Json) -> str:
    involved = event.get("involvedObject") or event.get("regarding") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _last_seen(event: Json) -> Any:
    fields = ("lastTimestamp", "deprecatedLastTimestamp", "eventTime", "firstTimestamp", "deprecatedFirstTimestamp")
    return next((event[field] for field in fields if event.get(field)), None) or event["metadata"].get(
        "creationTimestamp"
    )


_AGE = Column("Age", "date", ".metadata.creationTimestamp")


def _columns(*columns: Column) -> tuple[Column, ...]:
    return (*columns, _AGE)


_EVENT_COLUMNS = (
    Column("Last Seen", "date", compute=_last_seen),
    Column("Type", path=".type"),
    Column("Reason", path=".reason"),
    Column("Object", compute=_event_object),
    Column("Message", compute=lambda event: event.get("message") or event.get("note")),
)

BUILT_IN: tuple[Resource, ...] = (
    Resource(
        "", "v1", "Namespace", "namespaces", namespaced=False, short_names=("ns",), status=True, generation=False,
        columns=_columns(Column("Status", path=".status.phase")),
    ),
    Resource(
        "", "v1", "ConfigMap", "configmaps", short_names=("cm",), generation=False,
        columns=_columns(Column("Data", compute=_size("data"))),
    ),
    Resource(
        "", "v1", "Secret", "secrets", generation=False,
        columns=_columns(Column("Type", path=".type"), Column("Data", compute=_size("data"))),
    ),
    Resource(
        "", "v1", "Event", "events", short_names=("ev",), generation=False, create_on_update=True,
        columns=_EVENT_COLUMNS,
    ),
    Resource(
        "events.k8s.io", "v1", "Event", "events", short_names=("ev",), generation=False, create_on_update=True,
        columns=_EVENT_COLUMNS, conversion=event_in, stored_as=(EVENTS, "v1"),
    ),
    Resource(
        "", "v1", "Pod", "pods", short_names=("po",), categories=("all",), status=True,
        columns=(
            Column("Ready", compute=_ready_containers),
            Column("Status", compute=_pod_status),
            Column("Restarts", compute=_restarts),
            _AGE,
            Column("IP", compute=_or_none("status.podIP"), priority=1),
            Column("Node", compute=_or_none("spec.nodeName"), priority=1),
            Column("Nominated Node", compute=_or_none("status.nominatedNodeName"), priority=1),
            Column("Readiness Gates", compute=_readiness_gates, priority=1),
        ),
    ),
    Resource(
        "", "v1", "Node", "nodes", namespaced=False, short_names=("no",), status=True, generation=False,
        columns=(
            Column("Status", compute=_node_status),
            Column("Roles", compute=_roles),
            _AGE,
            Column("Version", path=".status.nodeInfo.kubeletVersion"),
        ),
    ),
    Resource(
        "", "v1", "Service", "services", short_names=("svc",), categories=("all",), status=True, generation=False,
        columns=_columns(
            Column("Type", path=".spec.type"),
            Column("Cluster-IP", path=".spec.clusterIP"),
            Column("External-IP", compute=_external_address),
            Column("Port(s)", compute=_service_ports),
        ),
    ),
    Resource(
        "", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",), generation=False,
        columns=_columns(Column("Secrets", compute=_size("secrets"))),
    ),
    Resource(
        "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", short_names=("pvc",), status=True,
        generation=False,
        columns=(
            Column("Status", path=".status.phase"),
            Column("Volume", path=".spec.volumeName"),
            Column("Capacity", path=".status.capacity.storage"),
            Column("Access Modes", compute=lambda obj: ",".join((obj.get("status") or {}).get("accessModes") or ())),
            Column("StorageClass", path=".spec.storageClassName"),
            _AGE,
            Column("VolumeMode", path=".spec.volumeMode", priority=1),
        ),
    ),
    Resource(
        "batch", "v1", "Job", "jobs", categories=("all",), status=True,
        columns=(
            Column("Status", compute=_job_status),
            Column("Completions", compute=_completions),
            Column("Duration", "duration", compute=_run_time),
            _AGE,
        ),
    ),
    Resource(
        "apps", "v1", "Deployment", "deployments", short_names=("deploy",), categories=("all",), status=True,
        scale=Scale(".spec.replicas", ".status.replicas"),
        columns=_columns(
            Column("Ready", compute=_fraction("status.readyReplicas", "spec.replicas")),
            Column("Up-to-date", "integer", compute=lambda obj: _path("status.updatedReplicas")(obj) or 0),
            Column("Available", "integer", compute=lambda obj: _path("status.availableReplicas")(obj) or 0),
        ),
    ),
    Resource(
        "apps", "v1", "ReplicaSet", "replicasets", short_names=("rs",), categories=("all",), status=True,
        scale=Scale(".spec.replicas", ".status.replicas"),
        columns=_columns(
            Column("Desired", "integer", compute=lambda obj: _path("spec.replicas")(obj) or 0),
            Column("Current", "integer", compute=lambda obj: _path("status.replicas")(obj) or 0),
            Column("Ready", "integer", compute=lambda obj: _path("status.readyReplicas")(obj) or 0),
        ),
    ),
    Resource(
        "apps", "v1", "StatefulSet", "statefulsets", short_names=("sts",), categories=("all",), status=True,
        scale=Scale(".spec.replicas", ".status.replicas"),
        columns=_columns(Column("Ready", compute=_fraction("status.readyReplicas", "spec.replicas"))),
    ),
    Resource(
        "coordination.k8s.io", "v1", "Lease", "leases", generation=False, conditional=True, create_on_update=True,
        columns=_columns(Column("Holder", path=".spec.holderIdentity")),
    ),
    Resource(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False,
        short_names=("crd", "crds"), categories=("api-extensions",), status=True, conditional=True,
        columns=(Column("Created At", "string", ".metadata.creationTimestamp"),),
    ),
    *(
        Resource(
            "admissionregistration.k8s.io", "v1", kind, f"{kind.lower()}s", namespaced=False,
            categories=("api-extensions",),
            columns=_columns(Column("Webhooks", "integer", compute=_size("webhooks"))),
        )
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    ),
)  # fmt: skip


class Registry:
    """The kinds that are served at this moment."""

    def __init__(self, resources: tuple[Resource, ...] = BUILT_IN) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._served.values())

    def __repr__(self) -> str:
        return f"<Registry kinds={len(self._served)}>"

    def add(self, resource: Resource) -> None:
        """Serve a version of a kind, in place of an earlier definition of it."""
        self._served[(resource.group, resource.version, resource.plural)] = resource

    def drop(self, group: str, plural: str) -> None:
        """Stop serving every version of a kind."""
        for place in [place for place in self._served if (place[0], place[2]) == (group, plural)]:
            del self._served[place]

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of a URL."""
        return self._served.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object's apiVersion and kind; another served version of the kind will do."""
        group = api_version.rpartition("/")[0]
        return next((resource for resource in self if (resource.group, resource.kind) == (group, kind)), None)

    def any_version(self, qualified: str) -> Resource | None:
        """Some served version of a stored resource."""
        return next((resource for resource in self if resource.qualified == qualified), None)

    def groups(self) -> dict[str, list[str]]:
        """Group names (the core group is empty) and their versions, the preferred one first."""
        found: dict[str, list[str]] = {}
        for resource in self:
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return {group: sorted(versions, key=version_order) for group, versions in found.items()}


def version_order(version: str) -> tuple[int, int, int, str]:
    """R-11: GA before beta before alpha, then the higher numbers; other names last, by the alphabet."""
    found = re.match(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?\Z", version)
    if found is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), "")
