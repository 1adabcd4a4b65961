"""`windlass bundle` writes what a cluster needs to run the operators, and tells when that is out of step."""

import pytest
import yaml
from click.testing import CliRunner

from windlass.cli import bundle


def invoke(*arguments):
    return CliRunner().invoke(bundle.command, [str(one) for one in arguments], standalone_mode=False)


def test_files_are_written_once_and_then_in_step(tmp_path):
    first = invoke("--folder", tmp_path)
    again = invoke("--folder", tmp_path)
    checked = invoke("--folder", tmp_path, "--check")

    assert f"wrote {tmp_path / 'base' / 'role.yaml'}" in first.output
    assert again.output == checked.output == ""
    assert checked.return_value == 0


def test_check_fails_with_the_difference_and_writes_nothing(tmp_path):
    checked = invoke("--folder", tmp_path / "none", "--check")

    assert checked.return_value == 1
    assert f"{tmp_path / 'none' / 'kustomization.yaml'}: missing" in checked.stderr
    assert not (tmp_path / "none").exists()


def test_names_image_and_samples_are_the_users(tmp_path):
    sample = tmp_path / "mine.yaml"
    sample.write_text("apiVersion: ai.windlass.dev/v1alpha1\nkind: TrainingJob\nmetadata: {name: mine}\n")
    arguments = ("--name", "trainer", "--namespace", "ml", "--image", "registry.example.com/trainer:2.0")
    assert invoke("--folder", tmp_path / "out", *arguments, "--sample", sample).return_value == 0
    deployed = list(yaml.safe_load_all((tmp_path / "out" / "base" / "deployment.yaml").read_text()))[-1]

    assert (deployed["metadata"]["name"], deployed["metadata"]["namespace"]) == ("trainer", "ml")
    assert deployed["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/trainer:2.0"
    assert (tmp_path / "out" / "samples" / "mine.yaml").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[1]", "expected one object"),
        (b"a: [", "while parsing"),
        (b"kind: X", "expected one object"),
        (b"\xff", "can't decode byte 0xff"),
        (b"at: 2026-13-45", "month must be in 1..12"),
    ],
)
def test_a_sample_that_is_no_object_is_wrong_usage(tmp_path, text, said):
    sample = tmp_path / "bad.yaml"
    sample.write_bytes(text)
    done = CliRunner().invoke(bundle.command, ["--folder", str(tmp_path), "--sample", str(sample)])

    assert done.exit_code == 2, done.exception
    assert said in done.output


def test_an_image_has_a_tag(tmp_path):
    done = CliRunner().invoke(bundle.command, ["--folder", str(tmp_path), "--image", "localhost:5000/x"])

    assert done.exit_code == 2
    assert "expected a tag" in done.output


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--name", "Ü x"),
        ("--name", ""),
        ("--namespace", ""),
        ("--namespace", "../x"),
        ("--webhook", "foo"),
        ("--webhook", "a/b/c"),
        ("--webhook", "/b"),
    ],
)
def test_names_that_no_cluster_takes_are_refused_and_nothing_is_written(tmp_path, option, value):
    done = CliRunner().invoke(bundle.command, ["--folder", str(tmp_path / "out"), option, value])

    assert (done.exit_code, option in done.output) == (2, True), done.output
    assert not (tmp_path / "out").exists()


def test_a_bundle_under_another_name_leaves_nothing_of_the_old_one_behind(tmp_path):
    invoke("--folder", tmp_path, "--name", "first")
    (tmp_path / "olm" / "manifests" / "mine.yaml").write_text("kind: ConfigMap\n")
    again = invoke("--folder", tmp_path, "--name", "second")

    gone = tmp_path / "olm" / "manifests" / "first.clusterserviceversion.yaml"
    assert (f"removed {gone}" in again.output, gone.exists()) == (True, False)
    assert (tmp_path / "olm" / "manifests" / "mine.yaml").exists()
    assert invoke("--folder", tmp_path, "--name", "second", "--check").return_value == 0
