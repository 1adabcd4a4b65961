"""The example of a hardware profile, installed as its readers would install it, and found by its entry point."""

import json
import sys
from pathlib import Path

import pytest
from packages import install

from windlass.informers.typed import structure
from windlass.operators.training.hardware.answer import Placement
from windlass.operators.training.hardware.machines import machine_of
from windlass.operators.training.hardware.placement import Wish, place
from windlass.operators.training.hardware.registry import class_of, hardware_registry, profiles_of
from windlass.operators.training.hardware.rendering import dress
from windlass.operators.training.hardware.types import HardwareSpec

pytestmark = pytest.mark.realtime(limit=120)
TEMPLATE = {"spec": {"containers": [{"name": "trainer", "image": "example.com/t:1"}]}}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install("hardware-plugin", tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def registry(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    yield hardware_registry()
    sys.modules.pop("windlass_tpu_profile", None)


def node(name, **room):
    return machine_of(json.dumps({
        "metadata": {"name": name, "labels": {"example.com/tpu-generation": "v5e"}},
        "status": {"allocatable": {"pods": "9"} | room, "conditions": [{"type": "Ready", "status": "True"}]},
    }).encode())  # fmt: skip


def dressed(registry, *classes):
    spec = structure({"classes": classes, "devices": 4}, HardwareSpec)
    found = place(
        Wish(
            spec=spec,
            classes=tuple(class_of(one, registry) for one in classes),
            template=TEMPLATE,
            profiles=profiles_of(registry),
        ),
        [node("t", **{"google.com/tpu": "4"}), node("c")],
        {},
    )
    assert isinstance(found, Placement), found
    return dress(TEMPLATE, found)["spec"]


def test_a_profile_is_a_module_of_less_than_forty_lines():
    module = Path(__file__).parents[2] / "docs" / "examples" / "hardware-plugin" / "windlass_tpu_profile.py"

    assert len(module.read_text().splitlines()) < 40


async def test_an_installed_profile_is_found_and_asked_for_like_any_other(registry):
    assert "tpu" in registry.names()

    spec = dressed(registry, "tpu-v5e")

    assert spec["containers"][0]["resources"]["limits"] == {"google.com/tpu": "4"}
    assert {"name": "JAX_PLATFORMS", "value": "tpu"} in spec["containers"][0]["env"]
    assert "google.com" not in json.dumps(dressed(registry, "cpu"))
