import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from windlass.cli import crd
from windlass.manifests import crd as definition_of
from windlass.operators.promotion import Promotion
from windlass.operators.training import TrainingJob

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = "ai.windlass.dev_trainingjobs.yaml"
OTHER = "ai.windlass.dev_promotions.yaml"
KIND = "windlass.operators.training:TrainingJob"


def invoke(*arguments):
    return CliRunner().invoke(crd.command, arguments, standalone_mode=False)


@pytest.mark.parametrize(
    ("references", "kinds"),
    [((), (Promotion, TrainingJob)), ((KIND,), (TrainingJob,))],
    ids=["built in", "named"],
)
def test_definitions_are_printed_as_kubectl_reads_them(references, kinds):
    printed = invoke("generate", *references)

    assert [each for each in yaml.safe_load_all(printed.output) if each] == [definition_of(kind) for kind in kinds]


def test_a_folder_gets_one_file_a_definition_and_only_what_has_changed_is_written(tmp_path):
    first = invoke("generate", "--folder", str(tmp_path / "new"))
    again = invoke("generate", "--folder", str(tmp_path / "new"))

    assert first.output.splitlines() == [f"wrote {tmp_path / 'new' / name}" for name in (OTHER, FILE)]
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


# --- against a revision -----------------------------------------------------------------------------------------------

BOXES = """
from typing import Annotated, Literal
import attrs
from windlass.informers import CustomResource
from windlass.manifests import Maximum, kind

@attrs.frozen
class BoxSpec:
    {fields}

@kind("cli.example.com/v1", plural="{plural}")
@attrs.frozen
class Box(CustomResource):
    spec: BoxSpec
"""
BEFORE = "colour: Literal['red', 'blue']\n    size: Annotated[int, Maximum(9)] = 1\n    note: str = ''"
AFTER = "colour: Literal['red', 'green']\n    owner: str\n    size: Annotated[int, Maximum(5)] = 1"


def git(folder, *arguments):
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@example.com")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose first commit has the definition of a Box, and a working tree where the class has changed."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "before_boxes.py").write_text(BOXES.format(fields=BEFORE, plural="boxes"))
    (tmp_path / "after_boxes.py").write_text(BOXES.format(fields=AFTER, plural="boxes"))
    assert invoke("generate", "before_boxes:Box", "--folder", "crds").exit_code == 0
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    yield tmp_path
    for module in ("before_boxes", "after_boxes"):
        sys.modules.pop(module, None)


BROKEN = [
    "breaking  boxes.cli.example.com v1 $.spec.colour: the value blue is gone",
    "breaking  boxes.cli.example.com v1 $.spec.note: the field is gone",
    "breaking  boxes.cli.example.com v1 $.spec.owner: a new required field",
    "breaking  boxes.cli.example.com v1 $.spec.size: maximum 9 became 5",
]


def test_check_names_each_change_since_a_revision_that_breaks_somebody(repository):
    assert invoke("generate", "after_boxes:Box", "--folder", "crds").exit_code == 0
    checked = invoke("check", "after_boxes:Box", "--folder", "crds", "--against", "HEAD")

    assert checked.return_value == 1
    assert sorted(checked.stderr.splitlines()) == BROKEN


def test_check_passes_what_breaks_nobody(repository):
    checked = invoke("check", "before_boxes:Box", "--folder", "crds", "--against", "HEAD")

    assert (checked.return_value, checked.output) == (0, "")


def test_diff_shows_what_the_code_changes_in_the_files_and_fails_nobody(repository):
    shown = invoke("diff", "after_boxes:Box", "--folder", "crds")

    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert sorted(lines[:4]) == BROKEN
    assert "compatible  boxes.cli.example.com v1 $.spec.colour: the value green is new" in lines
    assert lines[-1].endswith("changes, 4 of them breaking")


def test_diff_is_one_json_list_for_programs(repository):
    shown = json.loads(invoke("diff", "after_boxes:Box", "--folder", "crds", "--against", "HEAD", "--json").output)

    assert {"place", "text", "breaking"} == set(shown[0])
    assert sum(change["breaking"] for change in shown) == 4


def test_a_kind_that_is_gone_since_the_revision_breaks(repository):
    (repository / "others.py").write_text(BOXES.format(fields=BEFORE, plural="cartons"))
    checked = invoke("check", "others:Box", "--folder", "crds", "--against", "HEAD")

    assert "breaking  boxes.cli.example.com: the kind is gone" in checked.stderr


@pytest.mark.parametrize("revision", ["nowhere", "HEAD~5"])
def test_a_revision_that_is_not_there_is_wrong_usage(repository, revision):
    checked = CliRunner().invoke(crd.command, ["check", "before_boxes:Box", "--folder", "crds", "--against", revision])

    assert checked.exit_code == 2
    assert revision in checked.output


def test_a_folder_outside_of_any_repository_is_wrong_usage(tmp_path):
    checked = CliRunner().invoke(crd.command, ["check", "--folder", str(tmp_path), "--against", "HEAD"])

    assert checked.exit_code == 2
    assert "--against" in checked.output


def test_definitions_of_other_origin_are_nobodys_loss(repository):
    (repository / "crds" / "foreign.yaml").write_text(yaml.safe_dump(definition_of(TrainingJob)))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "two")
    checked = invoke("check", "before_boxes:Box", "--folder", "crds", "--against", "HEAD")

    assert (checked.return_value, checked.output) == (0, "")


def test_a_file_without_its_first_comment_is_compared_all_the_same(repository):
    (file,) = (repository / "crds").iterdir()
    file.write_text(file.read_text().partition("\n")[2])
    shown = invoke("diff", "after_boxes:Box", "--folder", "crds")
    git(repository, "commit", "--quiet", "--all", "-m", "two")
    assert invoke("generate", "after_boxes:Box", "--folder", "crds").exit_code == 0
    checked = invoke("check", "after_boxes:Box", "--folder", "crds", "--against", "HEAD")

    assert sorted(shown.output.splitlines()[:4]) == sorted(checked.stderr.splitlines()) == BROKEN
    assert checked.return_value == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected objects"),
        (b"# nothing else\n", "expected objects"),
        (b"[]", "expected objects"),
        (b"a: [", "is no YAML"),
        (b"at: 2026-13-45", "is no YAML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"kind: CustomResourceDefinition\nmetadata: {name: boxes.cli.example.com}\nspec: 5", "found a part of one"),
        (b"kind: CustomResourceDefinition\nspec: {}", "found a part of one"),
        (
            b"kind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {names: {}, versions: [{name: a, schema: 5}]}",
            "found a part of one",
        ),
    ],
)
def test_a_file_that_is_no_definition_is_one_error_that_names_it(repository, content, says):
    (file,) = (repository / "crds").iterdir()
    file.write_bytes(content)
    git(repository, "commit", "--quiet", "--all", "-m", "two")
    for arguments in (("diff",), ("diff", "--against", "HEAD"), ("check", "--against", "HEAD")):
        done = CliRunner().invoke(crd.command, [*arguments, "after_boxes:Box", "--folder", "crds"])

        assert (done.exit_code, file.name in done.output, says in done.output) == (1, True, True), done.output


def test_a_wrong_type_deep_inside_a_file_is_told_with_its_place(repository):
    (file,) = (repository / "crds").iterdir()
    file.write_text(file.read_text().replace("maximum: 9", "maximum: nine"))
    git(repository, "commit", "--quiet", "--all", "-m", "two")
    for arguments in (("diff",), ("diff", "--against", "HEAD"), ("check", "--against", "HEAD")):
        done = CliRunner().invoke(crd.command, [*arguments, "after_boxes:Box", "--folder", "crds"])

        assert done.exit_code == 1
        assert f"{file.name}: $.spec.versions[0].schema" in done.output
        assert ".properties.spec.properties.size.maximum: expected a number, found 'nine'" in done.output


@pytest.mark.parametrize("verb", ["generate", "check", "diff"])
def test_a_webhook_that_names_no_service_is_wrong_usage(verb):
    done = CliRunner().invoke(crd.command, [verb, "--webhook", "foo"])

    assert (done.exit_code, "--webhook" in done.output) == (2, True), done.output
