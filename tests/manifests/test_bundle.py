"""The files of a bundle follow from the code, each document whole and in one place."""

import json

import attrs
import pytest
import yaml
from realistic_kinds import DatabaseCluster, FederatedJob

from windlass.informers import ConfigMap
from windlass.manifests import Need, crd
from windlass.manifests.bundle import BUNDLE_HEADER, Bundle, render_bundle
from windlass.manifests.deployment import Program
from windlass.manifests.files import tree_drift, write_tree
from windlass.manifests.rbac import rules

PROGRAM = Program(
    "keeper",
    "keeper-system",
    image="registry.example.com:5000/keeper:1.2.3",
    version="1.2.3",
    everywhere=(Need.on(DatabaseCluster, "get", "list", "watch"),),
    at_home=(Need.on(ConfigMap, "get"),),
)
SAMPLE = {"apiVersion": "ai.windlass.example/v1beta1", "kind": "FederatedJob", "metadata": {"name": "one"}}
BUNDLE = Bundle(PROGRAM, (DatabaseCluster, FederatedJob), {"job": SAMPLE}, "Keeps things.")


@pytest.fixture(scope="module")
def files():
    return render_bundle(BUNDLE)


def parsed(files, path):
    return [one for one in yaml.safe_load_all(files[path]) if one]


def test_the_same_bundle_gives_the_same_bytes_and_every_file_says_where_it_is_from(files):
    assert render_bundle(BUNDLE) == files
    assert all(text.startswith(BUNDLE_HEADER) for text in files.values())


def test_definitions_are_those_of_the_classes(files):
    assert parsed(files, "crds/databaseclusters.data.windlass.example.yaml") == [crd(DatabaseCluster)]
    assert parsed(files, "olm/manifests/federatedjobs.ai.windlass.example.yaml") == [crd(FederatedJob)]


def test_roles_permit_what_is_needed_everywhere_and_at_home(files):
    everywhere, binding = parsed(files, "base/role.yaml")
    home, home_binding = parsed(files, "base/home-role.yaml")

    assert (everywhere["kind"], everywhere["rules"]) == ("ClusterRole", rules(PROGRAM.everywhere))
    assert (home["kind"], home["metadata"]["namespace"]) == ("Role", "keeper-system")
    for one, kind in ((binding, "ClusterRole"), (home_binding, "Role")):
        assert one["roleRef"]["kind"] == kind
        assert one["subjects"] == [{"kind": "ServiceAccount", "name": "keeper", "namespace": "keeper-system"}]


def test_every_kustomization_names_files_and_folders_that_are_there(files):
    for path in (path for path in files if path.endswith("/kustomization.yaml")):
        folder = path.rpartition("/")[0]
        (found,) = parsed(files, path)
        named = [*found.get("resources", ()), *found.get("patchesStrategicMerge", ())]
        assert [name for name in named if f"{folder}/{name}" not in files] == []


def test_an_image_overlay_keeps_a_registry_with_a_port_apart_from_the_tag(files):
    (found,) = parsed(files, "overlays/image/kustomization.yaml")

    assert found["images"][0]["name"] == "registry.example.com:5000/keeper"
    assert found["images"][0]["newTag"] == "1.2.3"


def test_olm_is_told_the_same(files):
    (version,) = parsed(files, "olm/manifests/keeper.clusterserviceversion.yaml")
    (deployed,) = parsed(files, "base/deployment.yaml")
    strategy = version["spec"]["install"]["spec"]

    assert version["metadata"]["name"] == "keeper.v1.2.3"
    assert json.loads(version["metadata"]["annotations"]["alm-examples"]) == [SAMPLE]
    assert strategy["clusterPermissions"] == [{"serviceAccountName": "keeper", "rules": rules(PROGRAM.everywhere)}]
    assert strategy["permissions"] == [{"serviceAccountName": "keeper", "rules": rules(PROGRAM.at_home)}]
    assert strategy["deployments"][0]["spec"] == deployed["spec"]
    owned = version["spec"]["customresourcedefinitions"]["owned"]
    assert [(one["kind"], one["name"], one["version"]) for one in owned] == [
        ("DatabaseCluster", "databaseclusters.data.windlass.example", "v1"),
        ("FederatedJob", "federatedjobs.ai.windlass.example", "v1beta1"),
    ]
    annotations = parsed(files, "olm/metadata/annotations.yaml")[0]["annotations"]
    labels = sorted(line for line in files["olm/bundle.Dockerfile"].splitlines() if line.startswith("LABEL"))
    assert labels == [f"LABEL {name}={value}" for name, value in annotations.items()]


def test_a_program_that_needs_nothing_at_home_has_no_role_there():
    files = render_bundle(attrs.evolve(BUNDLE, program=attrs.evolve(PROGRAM, at_home=())))

    assert "base/home-role.yaml" not in files


def test_a_tree_is_written_once_and_what_differs_is_told(tmp_path, files):
    assert len(write_tree(files, tmp_path)) == len(files)
    assert write_tree(files, tmp_path) == []
    assert tree_drift(files, tmp_path, header=BUNDLE_HEADER) == []
    (tmp_path / "base" / "role.yaml").write_text(files["base/role.yaml"].replace("watch", "delete"))
    (tmp_path / "base" / "deployment.yaml").unlink()
    (tmp_path / "overlays" / "old.yaml").write_text(BUNDLE_HEADER)
    (tmp_path / "overlays" / "mine.yaml").write_text("mine: true\n")

    told = "\n".join(tree_drift(files, tmp_path, header=BUNDLE_HEADER))
    assert f"{tmp_path / 'base' / 'role.yaml'}: +  - watch" in told
    assert f"{tmp_path / 'base' / 'deployment.yaml'}: missing" in told
    assert f"{tmp_path / 'overlays' / 'old.yaml'}: nothing generates this file any more" in told
    assert "mine.yaml" not in told
