"""`windlass rbac` prints what `windlass run` with the same operators needs."""

import pytest
import yaml
from click.testing import CliRunner

from windlass.cli import rbac

OPERATOR = """
import attrs
from windlass.informers import ConfigMap, CustomResource, Node
from windlass.manifests import kind

@kind("cli.example.com/v1")
@attrs.frozen
class Hut(CustomResource):
    spec: str = ""

async def reconcile(ctx, request): ...

def setup(manager):
    manager.register(Hut)
    manager.controller(reconcile, for_=Hut, owns=[ConfigMap])

def wide(manager):
    manager.controller(reconcile, for_=Node, name="nodes")
"""


@pytest.fixture
def operators(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hut_operators.py").write_text(OPERATOR)


def invoke(*arguments):
    return CliRunner().invoke(rbac.command, arguments)


def documents(*arguments):
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def test_the_built_in_operators_get_an_account_a_role_and_a_binding():
    account, role, binding = documents()

    assert account["metadata"]["namespace"] == "windlass-system"
    patched = [
        resource
        for rule in role["rules"]
        for resource in rule["resources"]
        if rule["apiGroups"] == ["ai.windlass.dev"] and "patch" in rule["verbs"]
    ]
    assert {"promotions/status", "trainingjobs/status"} <= set(patched)
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]


def test_operators_of_ones_own_are_added(operators):
    _, role, _ = documents("--no-training", "--operator", "hut_operators:setup")

    assert {resource for rule in role["rules"] for resource in rule["resources"]} == {
        "configmaps",
        "events",
        "huts",
        "huts/finalizers",
    }


def test_one_namespace_is_watched_under_a_role_there_and_bound_from_here(operators):
    arguments = (
        "--no-training",
        "--operator",
        "hut_operators:setup",
        "--watch-namespace",
        "team",
        "--namespace",
        "ops",
    )
    account, role, binding, leases, leases_binding = documents(*arguments, "--leader-election")

    assert (account["metadata"]["namespace"], role["kind"], role["metadata"]["namespace"]) == ("ops", "Role", "team")
    assert binding["subjects"][0]["namespace"] == "ops"
    assert (leases["kind"], leases["metadata"]["namespace"]) == ("Role", "ops")
    assert leases_binding["roleRef"]["name"] == leases["metadata"]["name"] != role["metadata"]["name"]


def test_the_training_operator_does_without_nodes_where_it_sees_one_namespace():
    everywhere = documents()[1]
    watched = documents("--watch-namespace", "team")[1]

    wide = {"nodes", "resourceslices", "resourceclaims", "resourceclaimtemplates"}
    assert wide <= {resource for rule in everywhere["rules"] for resource in rule["resources"]}
    assert not wide & {resource for rule in watched["rules"] for resource in rule["resources"]}


def test_kinds_of_the_whole_cluster_need_a_role_of_the_cluster(operators):
    done = invoke("--no-training", "--operator", "hut_operators:wide", "--watch-namespace", "team")

    assert done.exit_code == 2
    assert "kinds of the whole cluster: nodes" in done.output


@pytest.mark.parametrize("arguments", [("--no-training",), ("--operator", "nowhere:setup")])
def test_without_an_operator_there_is_nothing_to_permit(arguments):
    assert invoke(*arguments).exit_code == 2


@pytest.mark.parametrize("value", ["Ü x", "", "../x", "a.b", "a" * 64])
@pytest.mark.parametrize("option", ["--name", "--namespace", "--watch-namespace"])
def test_names_that_no_cluster_takes_are_refused(option, value):
    done = invoke(option, value)

    assert (done.exit_code, option in done.output) == (2, True), done.output


def test_an_operator_that_is_none_is_refused_as_windlass_run_does():
    done = invoke("--operator", "windlass.operators.training:TrainingJob")

    assert (done.exit_code, "is a kind" in done.output) == (2, True), done.output


@pytest.mark.parametrize("katib", [True, False])
def test_experiments_of_katib_are_permitted_where_they_are_asked_for_and_nowhere_else(katib):
    _, role, _ = documents(*(["--katib"] if katib else []))
    rules = {
        resource: rule["verbs"]
        for rule in role["rules"]
        for resource in rule["resources"]
        if resource in ("experiments", "trials")
    }

    assert rules == ({"experiments": ["get", "list", "create"], "trials": ["list"]} if katib else {})
