"""Four kinds as people write them; with our TrainingJob they are five. Together they use all that schemas can say."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import attrs

from windlass.informers import CustomResource
from windlass.informers.typed import JsonName
from windlass.manifests import (
    AllOf,
    AnyOf,
    AtLeastOneOf,
    AtMostOneOf,
    Atomic,
    Column,
    Description,
    EmbeddedResource,
    ExactlyOneOf,
    Example,
    ExclusiveMinimum,
    ExternalDocs,
    Fields,
    Format,
    IntOrString,
    ListMap,
    ListSet,
    Maximum,
    MaxItems,
    MaxLength,
    MaxProperties,
    Minimum,
    MinItems,
    MinLength,
    MinProperties,
    MultipleOf,
    Not,
    Nullable,
    Pattern,
    Quantity,
    Rest,
    Rule,
    Scale,
    Title,
    Values,
    kind,
    marked,
)
from windlass.statemachine import Condition

__all__ = ("DatabaseCluster", "FederatedJob", "InferenceService", "NodeRemediation")

Name = Annotated[str, Pattern("^[a-z]([-a-z0-9]*[a-z0-9])?$"), MinLength(1), MaxLength(63)]


# A database cluster.


class Tier(StrEnum):
    GOLD = "gold"
    SILVER = "silver"


@attrs.frozen
class Port:
    """A port that clients connect to."""

    name: Name
    target: IntOrString = 5432
    protocol: Literal["TCP", "UDP"] = "TCP"


@marked(Rule("self.min <= self.max", message="min is above max", reason="FieldValueInvalid", field_path=".min"))
@attrs.frozen
class Pool:
    min: Annotated[int, Minimum(0)] = 1
    max: Annotated[int, Minimum(1), Maximum(1000), MultipleOf(5)] = 100


@attrs.frozen
class ObjectStore:
    bucket: Name
    path: Annotated[str, AllOf(Pattern("^/"), Not(Pattern("//")))] = "/"


@attrs.frozen
class Volume:
    claim: Name


@marked(ExactlyOneOf("store", "volume"))
@attrs.frozen
class Backup:
    """Where copies go: exactly one place."""

    schedule: Annotated[str, MinLength(9), MaxLength(64), Example("0 3 * * *")]
    keep: timedelta = timedelta(days=7)
    store: ObjectStore | None = None
    volume: Volume | None = None


@attrs.frozen
class Tuning:
    """Settings of the database itself: those it knows, and any other."""

    cache_ratio: Annotated[float, ExclusiveMinimum(0), Maximum(1)] = 0.5
    others: Annotated[Mapping[str, Any], Rest()] = attrs.field(factory=dict)


@attrs.frozen
class DatabaseClusterSpec:
    version: Annotated[Literal["14", "15", "16"], Description("The major version."), Title("Version")]
    storage: Annotated[Quantity, Example("10Gi")]
    replicas: Annotated[int, Minimum(1), Maximum(9), Format("int32"), Not(Values(2))] = 1
    tier: Tier = Tier.SILVER
    ports: Annotated[tuple[Port, ...], ListMap("name"), MinItems(1), MaxItems(4)] = (Port("sql"),)
    pool: Pool | None = None
    backup: Backup | None = None
    tuning: Tuning | None = None
    labels: Annotated[dict[str, Annotated[str, MaxLength(63)]], MaxProperties(4)] = attrs.Factory(dict)
    node_ip: Annotated[str | None, JsonName("nodeIP"), Format("ipv4")] = None
    paused_until: Annotated[datetime | None, Nullable()] = None
    sidecar: Annotated[Any, EmbeddedResource()] = None
    password_hash: bytes | None = None


@attrs.frozen
class DatabaseClusterStatus:
    replicas: Annotated[int, Minimum(0)] = 0
    selector: str = ""
    primary: str | None = None
    conditions: tuple[Condition, ...] = ()


@kind(
    "data.windlass.example/v1",
    short_names=("dbc",),
    categories=("data",),
    columns=(Column("Version", ".spec.version"), Column("Ready", ".status.replicas", "integer")),
    scale=Scale(selector=".status.selector"),
)
@attrs.frozen
class DatabaseCluster(CustomResource):
    """A database: one primary, some replicas."""

    spec: DatabaseClusterSpec
    status: DatabaseClusterStatus = DatabaseClusterStatus()


# An inference service.


@marked(AtLeastOneOf("storageUri", "image"))
@attrs.frozen
class Predictor:
    storage_uri: Annotated[str | None, Pattern("^(gs|s3|https|pvc)://")] = None
    image: Annotated[str | None, MinLength(1)] = None
    runtime: Literal["onnx", "triton", "custom"] = "onnx"
    requests: Annotated[dict[str, Quantity], MinProperties(1), MaxProperties(8)] | None = None
    arguments: Annotated[tuple[Annotated[str, MaxLength(16)], ...], Atomic(), MaxItems(5)] = ()


@attrs.frozen
class Metric:
    name: Literal["concurrency", "rps", "memory"]
    target: Annotated[IntOrString, AnyOf(Pattern("^[0-9]{1,3}%$"), Minimum(1))] = 1


@attrs.frozen
class Scaling:
    min_replicas: Annotated[int, Minimum(0), Maximum(100)] = 1
    max_replicas: Annotated[int, Minimum(1), Maximum(100)] = 10
    metrics: Annotated[tuple[Metric, ...], ListMap("name"), MaxItems(3)] = ()
    cooldown: timedelta = timedelta(minutes=5)


@attrs.frozen
class InferenceServiceSpec:
    predictor: Predictor
    scaling: Scaling = Scaling()
    traffic: Annotated[dict[str, Annotated[int, Minimum(0), Maximum(100)]], MaxProperties(3)] = attrs.Factory(dict)
    allowed_hosts: Annotated[tuple[Annotated[str, MaxLength(20)], ...], ListSet(), MaxItems(4)] = ()


@attrs.frozen
class InferenceServiceStatus:
    url: str | None = None
    conditions: tuple[Condition, ...] = ()


@kind("serving.windlass.example/v1", short_names=("wisvc",), columns=(Column("URL", ".status.url"),))
@attrs.frozen
class InferenceService(CustomResource):
    """A model that answers, and how it grows."""

    spec: InferenceServiceSpec
    status: InferenceServiceStatus = InferenceServiceStatus()


# A node remediation; cluster-scoped.


@attrs.frozen
class Taint:
    key: Annotated[str, MinLength(1), MaxLength(20)]
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"]
    value: Annotated[str, MaxLength(20)] = ""


@marked(
    AnyOf(
        Fields("template", where={"mode": Values("awx")}),
        Fields(where={"mode": Values("manual", "reboot")}),
    ),
    AtMostOneOf("template", "reason"),
)
@attrs.frozen
class Repair:
    """What is done: a job of AWX needs a template, and whoever does it by hand may say why."""

    mode: Literal["awx", "reboot", "manual"]
    template: Annotated[int | None, Minimum(1)] = None
    reason: Annotated[str | None, MaxLength(40)] = None


@attrs.frozen
class NodeRemediationSpec:
    node: Name
    repair: Repair
    taints: Annotated[tuple[Taint, ...], ListMap(["key", "effect"]), MaxItems(3)] = ()
    verify_after: timedelta = timedelta(minutes=2)
    ticket: Annotated[str | None, Format("uuid"), ExternalDocs("https://example.com/tickets", "Where it lies.")] = None
    dry_run: bool = False
    attempts: Annotated[int, Values(1, 3, 5)] = 3


@attrs.frozen
class NodeRemediationStatus:
    step: Literal["Tainting", "Draining", "Repairing", "Verifying", "Done"] | None = None
    started_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()


@kind("healing.windlass.example/v1alpha1", scope="Cluster", deprecated="v1alpha1 goes in 2027")
@attrs.frozen
class NodeRemediation(CustomResource):
    spec: NodeRemediationSpec
    status: NodeRemediationStatus = NodeRemediationStatus()


# A federated job.


@attrs.frozen
class Worker:
    cluster: Name
    replicas: Annotated[int, Minimum(1), Maximum(64)] = 1
    shard: Annotated[int | None, Minimum(0)] = None
    devices: Annotated[tuple[tuple[Annotated[int, Minimum(0)], ...], ...], MaxItems(4)] = ()


@attrs.frozen
class Exchange:
    batch: Quantity = attrs.field(default=Quantity("16Mi"))
    compression: Annotated[float, ExclusiveMinimum(0.0), Maximum(1.0)] = 1.0
    endpoint: Annotated[str | None, Format("cidr")] = None


@attrs.frozen
class FederatedJobSpec:
    server: Name
    workers: Annotated[tuple[Worker, ...], ListMap("cluster"), MinItems(1), MaxItems(5)]
    exchange: Exchange = Exchange()
    rounds: Annotated[int, Minimum(1), Maximum(1000)] = 10
    hyperparameters: Any = None
    deadline: datetime | None = None
    overrides: Annotated[
        dict[str, Annotated[tuple[Annotated[str, MaxLength(8)], ...], MaxItems(3)]], MaxProperties(3)
    ] = attrs.Factory(dict)


@attrs.frozen
class FederatedJobStatus:
    round: Annotated[int, Minimum(0)] = 0
    conditions: tuple[Condition, ...] = ()


@kind("ai.windlass.example/v1beta1", short_names=("fj",), columns=(Column("Round", ".status.round", "integer"),))
@attrs.frozen
class FederatedJob(CustomResource):
    """A training job over several clusters."""

    spec: FederatedJobSpec
    status: FederatedJobStatus = FederatedJobStatus()
