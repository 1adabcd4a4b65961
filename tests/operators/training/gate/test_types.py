"""What a user can write is what a server takes: both values are fit to be fields of a kind."""

import attrs
import pytest

from windlass.informers.errors import StructureError
from windlass.informers.typed import CustomResource, structure, unstructure
from windlass.manifests.kinds import kind
from windlass.manifests.roundtrip import read, written
from windlass.operators.training.gate.types import CheckSpec, CheckStatus, GateSpec, GateStatus


@kind("tests.windlass.dev/v1", name="Gated")
@attrs.frozen
class Gated(CustomResource):
    """A kind with both fields."""

    spec: GateSpec
    status: GateStatus | None = None


def gated(*checks, **more):
    return {
        "apiVersion": "tests.windlass.dev/v1",
        "kind": "Gated",
        "metadata": {"name": "g", "namespace": "default"},
        "spec": {"checks": list(checks), **more},
    }


def test_defaults_ask_for_the_check_and_stop_nobody():
    found = read(gated({"name": "robust", "check": "fgsm", "parameters": {"epsilon": 0.1, "deep": [{"x": 1}]}}), Gated)

    assert found.spec == GateSpec(
        (CheckSpec("robust", "fgsm", True, 600.0, {"epsilon": 0.1, "deep": [{"x": 1}]}),), fail_fast=False
    )


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        ({"check": "fgsm"}, "name"),
        ({"name": "a"}, "check"),
        ({"name": "A b", "check": "fgsm"}, "name"),
        ({"name": "a", "check": ""}, "check"),
        ({"name": "a", "check": "fgsm", "timeoutSeconds": 0}, "timeoutSeconds"),
        ({"name": "a", "check": "fgsm", "parameters": 3}, "parameters"),
    ],
)
def test_a_wrong_check_is_refused_by_field(check, fault):
    with pytest.raises(StructureError, match=rf"spec\.checks\[0\].*{fault}"):
        read(gated(check), Gated)


def test_a_status_survives_the_way_to_the_server_and_back():
    check = CheckStatus("a", "fgsm", True, "Passed", "Robust", "m", 9, 0.5, "f" * 64, 0.1, 0.2)
    bare = attrs.evolve(check, name="b", statistic=None, threshold=None)
    status = GateStatus("a" * 64, passed=True, reason="Passed", message="all", checks=(check, bare))
    made = structure(gated({"name": "a", "check": "fgsm"}), Gated)

    body = written(attrs.evolve(made, status=status))

    assert body["status"]["checks"][0]["evidenceSha256"] == "f" * 64
    assert read(body, Gated).status == status
    assert unstructure(status)["modelSha256"] == "a" * 64
