from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from windlass.cli import crd
from windlass.manifests import crd as definition_of
from windlass.operators.training import TrainingJob

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = "ai.windlass.dev_trainingjobs.yaml"
KIND = "windlass.operators.training:TrainingJob"


def invoke(*arguments):
    return CliRunner().invoke(crd.command, arguments, standalone_mode=False)


@pytest.mark.parametrize("references", [(), (KIND,)], ids=["built in", "named"])
def test_definitions_are_printed_as_kubectl_reads_them(references):
    printed = invoke("generate", *references)

    assert [each for each in yaml.safe_load_all(printed.output) if each] == [definition_of(TrainingJob)]


def test_a_folder_gets_one_file_a_definition_and_only_what_has_changed_is_written(tmp_path):
    first = invoke("generate", "--folder", str(tmp_path / "new"))
    again = invoke("generate", "--folder", str(tmp_path / "new"))

    assert first.output == f"wrote {tmp_path / 'new' / FILE}\n"
    assert again.output == ""
    assert yaml.safe_load((tmp_path / "new" / FILE).read_text()) == definition_of(TrainingJob)


def test_a_folder_in_step_with_the_code_passes(tmp_path):
    invoke("generate", "--folder", str(tmp_path))
    checked = invoke("check", "--folder", str(tmp_path))

    assert (checked.return_value, checked.output) == (0, "")


def test_a_file_that_was_edited_fails_and_the_difference_is_shown(tmp_path):
    invoke("generate", "--folder", str(tmp_path))
    path = tmp_path / FILE
    path.write_text(path.read_text().replace("shortNames", "shorterNames"))
    checked = invoke("check", "--folder", str(tmp_path))

    assert checked.return_value == 1
    assert "shorterNames" in checked.stderr
    assert str(path) in checked.stderr


def test_a_missing_file_fails_and_is_named(tmp_path):
    checked = invoke("check", KIND, "--folder", str(tmp_path))

    assert (checked.return_value, checked.stderr) == (1, f"{tmp_path / FILE}: missing\n")


def test_the_files_of_this_repository_are_in_step_with_the_code():
    checked = invoke("check", "--folder", str(REPOSITORY / "manifests" / "generated"))

    assert (checked.return_value, checked.stderr) == (0, "")


@pytest.mark.parametrize("reference", ["json:loads", "windlass.informers:CustomResource.metadata", "json:JSONDecoder"])
def test_what_is_no_kind_is_refused(reference):
    refused = CliRunner().invoke(crd.command, ["generate", reference])

    assert refused.exit_code == 2
