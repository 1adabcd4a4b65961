"""What immutable fields and rules of classes say holds where CEL is run: on the embedded server, for 1.20 runs none."""

import contextlib
import uuid
from typing import Annotated

import attrs
import pytest
from realistic_kinds import DatabaseCluster
from servers import open_server

from windlass.informers import Api, Client, Cluster, CustomResource, Key
from windlass.informers.builtins import Namespace
from windlass.informers.errors import Invalid
from windlass.informers.typed import JsonName
from windlass.manifests import Immutable, ListMap, Rule, kind, marked
from windlass.manifests.install import install
from windlass.operators.training import TrainingJob

pytestmark = pytest.mark.realtime


@attrs.frozen
class Link:
    target: str
    speed: int = 1


@attrs.frozen
class Disk:
    name: str
    size: Annotated[int, Immutable()]
    label: Annotated[str | None, Immutable()] = None


@marked(Rule("self.low <= self.high", message="low is above high", field_path=".low"))
@attrs.frozen
class Range:
    low: int = 0
    high: int = 9


@attrs.frozen
class MachineSpec:
    zone: Annotated[str, Immutable()]
    owner: Annotated[str | None, Immutable()] = None
    namespace: Annotated[str | None, Immutable()] = None  # a word of CEL
    ip_address: Annotated[str | None, Immutable(), JsonName("ip-address")] = None
    uplink: Annotated[Link | None, Immutable()] = None  # a parent: all of it
    disks: Annotated[tuple[Disk, ...], ListMap("name")] = ()
    range: Range = Range()


@kind("rules.windlass.example/v1")
@attrs.frozen
class Machine(CustomResource):
    spec: MachineSpec


FULL = {
    "zone": "a", "owner": "me", "namespace": "n", "ip-address": "10.0.0.1", "uplink": {"target": "t"},
    "disks": [{"name": "one", "size": 5, "label": "x"}, {"name": "two", "size": 6}],
}  # fmt: skip
GONE = "cannot be removed once it is set"
FIXED = "the field is immutable"


@contextlib.asynccontextmanager
async def installed(*kinds):
    async with open_server("embedded") as server, Client(Cluster.from_dict(server.kubeconfig())) as client:
        api = Api(client)
        await install(api, kinds)
        namespace = f"rules-{uuid.uuid4().hex[:8]}"
        await api.create(Namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield api, namespace


def machine(spec, **metadata):
    return {
        "apiVersion": "rules.windlass.example/v1",
        "kind": "Machine",
        "metadata": {"name": "m", **metadata},
        "spec": spec,
    }


async def updated(before, after):
    """What the server says to the change, by field; {} if it takes it."""
    async with installed(Machine) as (api, namespace):
        await api.create(Machine, machine(before), namespace=namespace)
        version = (await api.get(Machine, Key(namespace, "m"))).resource_version
        try:
            await api.replace(Machine, machine(after, namespace=namespace, resourceVersion=version))
        except Invalid as refusal:
            return {cause.field: cause.message for cause in refusal.causes}
    return {}


def without(*names):
    return {name: value for name, value in FULL.items() if name not in names}


def disks(*items):
    return {**FULL, "disks": list(items)}


ONE, TWO = FULL["disks"]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(FULL, id="the same"),
        pytest.param({**FULL, "range": {"low": 3}}, id="another field"),
        pytest.param({**FULL, "uplink": {"target": "t", "speed": 1}}, id="a default that is written"),
        pytest.param(disks(ONE, TWO, {"name": "three", "size": 1}), id="an item more"),
        pytest.param(disks(TWO, ONE), id="items in another order"),
        pytest.param(disks(TWO), id="an item less"),
        pytest.param(disks(ONE, {**TWO, "label": "late"}), id="set later in an item"),
    ],
)
async def test_what_leaves_immutable_values_alone_is_taken(after):
    assert await updated(FULL, after) == {}


@pytest.mark.parametrize("name", ["owner", "namespace", "ip-address", "uplink"])
async def test_an_optional_value_may_be_set_later_but_neither_changed_nor_removed(name):
    other = {"target": "u"} if name == "uplink" else "other"

    assert await updated(without(name), FULL) == {}
    (changed,) = (await updated(FULL, {**FULL, name: other})).items()
    (removed,) = (await updated(FULL, without(name))).items()

    assert (changed[0], FIXED in changed[1]) == (f"spec.{name}", True)
    assert (removed[0], f"{name} {GONE}" in removed[1]) == ("spec", True)


@pytest.mark.parametrize(
    ("after", "field", "says"),
    [
        pytest.param({**FULL, "zone": "b"}, "spec.zone", FIXED, id="required"),
        pytest.param({**FULL, "uplink": {"target": "t", "speed": 2}}, "spec.uplink", FIXED, id="within a parent"),
        pytest.param(disks({**ONE, "size": 7}, TWO), "spec.disks[0].size", FIXED, id="in an item"),
        pytest.param(disks(TWO, {**ONE, "size": 7}), "spec.disks[1].size", FIXED, id="in an item that has moved"),
        pytest.param(disks({"name": "one", "size": 5}, TWO), "spec.disks[0]", f"label {GONE}", id="gone from an item"),
        pytest.param({**FULL, "range": {"low": 10}}, "spec.range.low", "low is above high", id="a rule, at its field"),
    ],
)
async def test_what_breaks_a_rule_is_refused_at_its_place_with_its_message(after, field, says):
    (refused,) = (await updated(FULL, after)).items()

    assert (refused[0], says in refused[1]) == (field, True), refused


@pytest.mark.parametrize(
    ("cls", "spec", "field", "says"),
    [
        (DatabaseCluster, {"version": "14", "storage": "1Gi", "pool": {"min": 20, "max": 10}}, "spec.pool.min",
         "min is above max"),
        (TrainingJob, {"data": {"uri": "/d", "version": "newest"}, "executor": "softmax", "output": {"model": "m"}},
         "spec.data.version", "latest"),
    ],
    ids=["DatabaseCluster", "TrainingJob"],
)  # fmt: skip
async def test_the_rules_of_real_kinds_are_run(cls, spec, field, says):
    info = cls.__windlass_resource__
    async with installed(cls) as (api, namespace):
        body = {"apiVersion": info.api_version, "kind": info.kind, "metadata": {"name": "x"}, "spec": spec}
        with pytest.raises(Invalid, match=says) as caught:
            await api.create(cls, body, namespace=namespace)

    assert [cause.field for cause in caught.value.causes] == [field]
