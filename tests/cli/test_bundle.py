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
    ("text", "said"), [("[1]", "expected one object"), ("a: [", "while parsing"), ("kind: X", "expected one object")]
)
def test_a_sample_that_is_no_object_is_wrong_usage(tmp_path, text, said):
    sample = tmp_path / "bad.yaml"
    sample.write_text(text)
    done = CliRunner().invoke(bundle.command, ["--folder", str(tmp_path), "--sample", str(sample)])

    assert done.exit_code == 2
    assert said in done.output


def test_an_image_has_a_tag(tmp_path):
    done = CliRunner().invoke(bundle.command, ["--folder", str(tmp_path), "--image", "localhost:5000/x"])

    assert done.exit_code == 2
    assert "expected a tag" in done.output
