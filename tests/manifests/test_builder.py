"""A definition put together by a program says what the decorator says, and fails at the step that is wrong."""

from datetime import datetime

import attrs
import pytest
from realistic_kinds import NodeRemediation

from windlass.informers import CustomResource
from windlass.manifests import CRDBuilder, InvalidKind, Webhook, crd, kind
from windlass.manifests.builder import path_of


@attrs.frozen
class PumpSpec:
    wanted_speed: int = 1
    enabled: bool = True
    name: str = "x"


@attrs.frozen
class PumpStatus:
    speed: int = 0
    since: datetime | None = None
    selector: str = ""


@kind("builder.example.com/v2", name="Pump", short_names=("pu",))
@attrs.frozen
class Pump(CustomResource):
    spec: PumpSpec = PumpSpec()
    status: PumpStatus = PumpStatus()


@kind("builder.example.com/v1", name="Pump", short_names=("pu",))
@attrs.frozen
class OldPump(CustomResource):
    spec: PumpSpec = PumpSpec()


def test_a_builder_that_adds_nothing_builds_what_the_decorator_says():
    assert CRDBuilder(NodeRemediation).build() == crd(NodeRemediation)


def test_each_step_adds_its_part():
    webhook = Webhook(url="https://example.com/convert")
    builder = (
        CRDBuilder(Pump)
        .column("Speed", lambda pump: pump.spec.wanted_speed)
        .column("Since", lambda pump: pump.status.since, wide=True)
        .short_name("pmp")
        .category("all")
        .scale(lambda pump: pump.spec.wanted_speed, lambda pump: pump.status.speed, selector=".status.selector")
        .selectable(lambda pump: pump.spec.name, ".spec.enabled")
        .label("team", "water")
        .annotation("note", "wet")
        .version(OldPump, up=lambda old: Pump(spec=old.spec), down=lambda pump: OldPump(spec=pump.spec))
        .converted_by(webhook)
    )
    built = builder.build()
    version = next(one for one in built["spec"]["versions"] if one["name"] == "v2")

    assert built["metadata"]["labels"] == {"team": "water"}
    assert built["metadata"]["annotations"] == {"note": "wet"}
    assert built["spec"]["names"]["shortNames"] == ["pu", "pmp"]
    assert built["spec"]["names"]["categories"] == ["all"]
    assert built["spec"]["conversion"] == webhook.conversion()
    assert version["additionalPrinterColumns"][:2] == [
        {"name": "Speed", "type": "integer", "jsonPath": ".spec.wantedSpeed"},
        {"name": "Since", "type": "date", "jsonPath": ".status.since", "priority": 1},
    ]
    assert version["subresources"]["scale"] == {
        "specReplicasPath": ".spec.wantedSpeed",
        "statusReplicasPath": ".status.speed",
        "labelSelectorPath": ".status.selector",
    }
    assert version["selectableFields"] == [{"jsonPath": ".spec.name"}, {"jsonPath": ".spec.enabled"}]
    assert builder.versions.convert(OldPump(spec=PumpSpec(3)), Pump).spec == PumpSpec(3)


def test_a_step_changes_no_builder_that_was_there_before():
    first = CRDBuilder(Pump)
    first.short_name("other")

    assert first.build() == crd(Pump)


def test_a_function_that_reads_no_field_is_refused():
    with pytest.raises(InvalidKind, match=r"PumpSpec: a path reads fields: found the attribute 'colour'"):
        path_of(Pump, lambda pump: pump.spec.colour)  # type: ignore[attr-defined]
    with pytest.raises(InvalidKind, match="a path reads fields: found 5"):
        path_of(Pump, lambda _: 5)


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        (lambda builder: builder.column("X", ".spec.colour"), "R-06"),
        (lambda builder: builder.scale(".status.speed", ".status.speed"), "R-05"),
        (lambda builder: builder.scale(".spec.name", ".status.speed"), "R-05"),
        (lambda builder: builder.selectable(".metadata.name"), "R-07"),
        (lambda builder: builder.selectable(".spec"), "R-07"),
        (lambda builder: builder.selectable(".spec.name", ".spec.name"), "R-07"),
        (lambda builder: builder.version(Pump, up=lambda x: x, down=lambda x: x), "R-02"),
        (lambda builder: builder.converted_by(Webhook(url="https://x")), "R-09"),
    ],
)
def test_what_no_server_would_take_is_refused(step, rule):
    with pytest.raises(InvalidKind, match=rule):
        step(CRDBuilder(Pump)).build()
