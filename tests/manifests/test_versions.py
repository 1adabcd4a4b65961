"""Versions of a kind are a tree; an object is carried along its branches, and its metadata stay what they are."""

from typing import Any

import attrs
import pytest

from windlass.informers import CustomResource, ObjectMeta
from windlass.manifests import InvalidKind, Versions, Webhook, crd, kind


@attrs.frozen
class OldSpec:
    size: str


@attrs.frozen
class MiddleSpec:
    gigabytes: int


@attrs.frozen
class Spec:
    megabytes: int


@kind("versions.example.com/v1alpha1", name="Disk", deprecated="")
@attrs.frozen
class OldDisk(CustomResource):
    spec: OldSpec


@kind("versions.example.com/v1beta1", name="Disk", deprecated="v1beta1 goes soon")
@attrs.frozen
class MiddleDisk(CustomResource):
    spec: MiddleSpec


@kind("versions.example.com/v1")
@attrs.frozen
class Disk(CustomResource):
    spec: Spec


def grown(disk: MiddleDisk) -> Disk:
    return Disk(spec=Spec(disk.spec.gigabytes * 1000))


def shrunk(disk: Disk) -> MiddleDisk:
    rest = str(disk.spec.megabytes % 1000)
    annotations = {**disk.metadata.annotations, "rest": rest}
    return MiddleDisk(
        spec=MiddleSpec(disk.spec.megabytes // 1000), metadata=attrs.evolve(disk.metadata, annotations=annotations)
    )


def counted(disk: OldDisk) -> MiddleDisk:
    return MiddleDisk(spec=MiddleSpec(int(disk.spec.size.removesuffix("G"))))


def told(disk: MiddleDisk) -> OldDisk:
    return OldDisk(spec=OldSpec(f"{disk.spec.gigabytes}G"))


DISKS = Versions(Disk).also(MiddleDisk, up=grown, down=shrunk).beyond(OldDisk, MiddleDisk, up=counted, down=told)
META = ObjectMeta(name="a", namespace="b", uid="c", labels={"l": "m"})


def test_an_object_goes_step_by_step_to_any_other_version():
    assert DISKS.convert(OldDisk(spec=OldSpec("5G"), metadata=META), Disk) == Disk(spec=Spec(5000), metadata=META)
    assert DISKS.convert(Disk(spec=Spec(5000), metadata=META), OldDisk).spec == OldSpec("5G")


def test_the_way_between_two_branches_does_not_lead_through_the_root_twice():
    assert DISKS.path(OldDisk, MiddleDisk) == [counted]
    assert DISKS.path(MiddleDisk, OldDisk) == [told]
    assert DISKS.path(OldDisk, Disk) == [counted, grown]
    assert DISKS.path(Disk, Disk) == []


def test_a_function_may_put_aside_in_annotations_what_the_other_version_has_no_field_for():
    made = DISKS.convert(Disk(spec=Spec(5020), metadata=META), MiddleDisk)

    assert made.metadata == attrs.evolve(META, annotations={"rest": "20"})


def body(version: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "a", "managedFields": [{"manager": "m"}], "annotations": {"k": "v"}, "future": 1}
    return {"apiVersion": f"versions.example.com/{version}", "kind": "Disk", "metadata": metadata, "spec": spec}


def test_of_a_json_object_nothing_else_in_the_metadata_changes():
    made = DISKS.convert_object(body("v1", {"megabytes": 7001}), "versions.example.com/v1beta1")

    assert made == {
        **body("v1beta1", {"gigabytes": 7}),
        "metadata": {
            "name": "a", "managedFields": [{"manager": "m"}], "annotations": {"k": "v", "rest": "1"}, "future": 1
        },
    }  # fmt: skip


def test_an_object_that_is_in_the_version_already_is_left_alone():
    same = body("v1", {"megabytes": 1, "unknown": 2})

    assert DISKS.convert_object(same, "versions.example.com/v1") == same


def test_a_version_that_is_not_there_is_named():
    with pytest.raises(KeyError, match=r"versions\.example\.com/v7 is none of the versions of Disk"):
        DISKS.convert_object(body("v1", {"megabytes": 1}), "versions.example.com/v7")


def other(group_version="versions.example.com/v2", **changes: Any) -> type[CustomResource]:
    made = attrs.make_class("Disk", {"spec": attrs.field(type=Spec)}, bases=(CustomResource,), frozen=True)
    return kind(group_version, **changes)(made)


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        pytest.param(other("elsewhere.example.com/v2"), "the same group", id="group"),
        pytest.param(other(name="Plate", plural="disks"), "the same kind", id="kind"),
        pytest.param(other(plural="diskses"), "the same plural", id="plural"),
        pytest.param(other(scope="Cluster"), "the same scope", id="scope"),
        pytest.param(other(short_names=("d",)), "the same short names", id="short names"),
        pytest.param(other("versions.example.com/v1beta1"), "'v1beta1' again", id="version twice"),
    ],
)
def test_r02_a_class_that_is_no_other_version_of_the_kind_is_refused(cls, said):
    with pytest.raises(InvalidKind, match=said):
        DISKS.also(cls, up=lambda x: x, down=lambda x: x)


def test_r09_a_conversion_leads_to_a_version_that_is_there():
    with pytest.raises(InvalidKind, match="one towards OldDisk, expected one out of Disk"):
        Versions(Disk).beyond(MiddleDisk, OldDisk, up=lambda x: x, down=lambda x: x)


def test_the_definition_has_every_version_and_stores_one():
    definition = crd(DISKS, conversion=Webhook(service="system/disks", ca_bundle="Q0E="))
    versions = definition["spec"]["versions"]

    assert [(one["name"], one["served"], one["storage"]) for one in versions] == [
        ("v1", True, True),
        ("v1alpha1", True, False),
        ("v1beta1", True, False),
    ]
    assert [(one.get("deprecated"), one.get("deprecationWarning")) for one in versions] == [
        (None, None),
        (True, None),
        (True, "v1beta1 goes soon"),
    ]
    assert definition["spec"]["conversion"] == {
        "strategy": "Webhook",
        "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": {
                "service": {"namespace": "system", "name": "disks", "path": "/convert", "port": 443},
                "caBundle": "Q0E=",
            },
        },
    }


def test_r09_a_webhook_is_in_one_place_and_has_something_to_convert():
    with pytest.raises(InvalidKind, match="either service="):
        Webhook()
    with pytest.raises(InvalidKind, match="a URL of https"):
        Webhook(url="http://x")
    with pytest.raises(InvalidKind, match="one version and a webhook"):
        crd(Disk, conversion=Webhook(url="https://x"))
