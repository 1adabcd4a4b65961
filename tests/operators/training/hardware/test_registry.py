"""What a class in a job's spec means."""

from importlib.metadata import EntryPoint

import pytest
from hardware_world import REGISTRY

from windlass.operators.errors import HardwareInvalid
from windlass.operators.training.hardware.builtin import BUILT_IN, CS2
from windlass.operators.training.hardware.profile import Profile
from windlass.operators.training.hardware.registry import class_of, hardware_registry


def test_the_five_profiles_come_with_windlass():
    assert REGISTRY.names() == ("amd", "cpu", "cs2", "gaudi", "nvidia")
    assert {one.name: one.resource for one in BUILT_IN} == {
        "amd": "amd.com/gpu", "cpu": None, "cs2": "cerebras.net/cs", "gaudi": "habana.ai/gaudi",
        "nvidia": "nvidia.com/gpu",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "profile", "model"),
    [
        ("nvidia", "nvidia", None),
        ("nvidia-h100", "nvidia", "h100"),
        ("amd-mi300x", "amd", "mi300x"),
        ("cpu", "cpu", None),
    ],
)
def test_a_class_is_a_profile_or_a_model_of_one(name, profile, model):
    found = class_of(name, REGISTRY)

    assert (found.name, found.profile.name, found.model) == (name, profile, model)


def test_the_longest_profile_name_wins():
    registry = hardware_registry(discover=lambda: ())
    registry.register("nvidia-grace", Profile(name="nvidia-grace", resource="x.io/y", model_label="m"))

    assert class_of("nvidia-grace-gh200", registry).model == "gh200"
    assert class_of("nvidia-h100", registry).profile.name == "nvidia"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tpu", "no hardware profile named 'tpu'; known hardware profiles: amd, cpu, cs2, gaudi, nvidia"),
        ("tpu-v5", "'tpu-v5'"),
        ("gaudi-3", "knows no label for models"),
        ("cpu-x", "knows no label for models"),
    ],
)
def test_a_class_that_nobody_knows_is_an_error_that_names_those_there_are(name, why):
    with pytest.raises(HardwareInvalid, match=why):
        class_of(name, REGISTRY)


def test_a_resource_of_a_known_domain_has_that_domains_profile():
    found = class_of("nvidia.com/mig-1g.5gb", REGISTRY).profile

    assert (found.resource, found.device_class) == ("nvidia.com/mig-1g.5gb", None)
    assert found.tolerations == REGISTRY.get("nvidia").tolerations


def test_a_resource_of_an_unknown_domain_is_a_profile_of_its_own():
    found = class_of("furiosa.ai/rngd", REGISTRY).profile

    assert (found.resource, found.domains) == ("furiosa.ai/rngd", ("furiosa.ai",))


def test_the_resource_of_cs2_is_whatever_the_operators_owner_registers():
    registry = hardware_registry(discover=lambda: ())
    registry.register("cs2", Profile(name="cs2", resource="example.com/wafer"), replace=True)

    assert class_of("cs2", registry).profile.resource == "example.com/wafer"
    assert CS2.resource == "cerebras.net/cs"


def test_an_installed_package_offers_profiles_by_entry_points():
    point = EntryPoint("cs2b", "windlass.operators.training.hardware.builtin:CS2", "windlass.hardware")
    registry = hardware_registry(discover=lambda: (point,))

    assert registry.names() == ("amd", "cpu", "cs2", "cs2b", "gaudi", "nvidia")
