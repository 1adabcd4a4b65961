"""One run, one version, whatever happens in between (G2)."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from windlass.operators.errors import PublishError
from windlass.operators.training import publish as module
from windlass.operators.training.files import sha256_of
from windlass.operators.training.publish import Artefact, publish
from windlass.serving.repository.description import read_description, read_verified
from windlass.serving.repository.scan import scan


def artefact(run="run1", content=b"model"):
    return Artefact(run, content, labels=("0", "1"), metadata={"job": "default/digits", "accuracy": 0.97})


def versions(root, name="digits"):
    return sorted(found.version for found in scan(root).get(name, ()))


def test_the_endpoint_s_own_reader_accepts_what_is_published(tmp_path):
    published = publish(tmp_path, "digits", artefact())

    description = read_description(tmp_path / "digits" / "1")
    assert read_verified(tmp_path / "digits" / "1", description) == b"model"
    assert description.labels == ("0", "1")
    assert description.metadata == {"job": "default/digits", "accuracy": 0.97, "runId": "run1"}
    assert ("digits", 1, sha256_of(b"model")) == (published.name, published.version, published.sha256)
    assert (tmp_path / "digits" / "1").as_uri() == published.uri


def test_the_same_run_again_finds_its_version(tmp_path):
    first = publish(tmp_path, "digits", artefact())
    publish(tmp_path, "digits", artefact("run2"))

    assert first == publish(tmp_path, "digits", artefact())
    assert versions(tmp_path) == [1, 2]


def test_the_next_version_is_the_highest_plus_one_whoever_made_it(tmp_path):
    (tmp_path / "digits" / "41").mkdir(parents=True)

    assert publish(tmp_path, "digits", artefact()).version == 42


def test_models_are_numbered_apart(tmp_path):
    publish(tmp_path, "digits", artefact())

    assert publish(tmp_path, "letters", artefact("run2")).version == 1


def test_the_same_run_with_another_content_is_refused(tmp_path):
    publish(tmp_path, "digits", artefact())

    with pytest.raises(PublishError, match="is of run run1 too, but has another content"):
        publish(tmp_path, "digits", artefact(content=b"other"))

    assert versions(tmp_path) == [1]


@pytest.mark.parametrize("calls", range(4))
def test_a_writer_killed_before_any_of_its_writes_leaves_no_version_and_the_next_makes_one(
    tmp_path, monkeypatch, calls
):
    writes = iter(range(100))

    class Killed(BaseException):
        pass

    def dying(function):
        def call(*args):
            if next(writes) == calls:
                raise Killed
            return function(*args)

        return call

    for name in ("write_durably", "rename_folder"):
        monkeypatch.setattr(module, name, dying(getattr(module, name)))
    if calls < 3:
        with pytest.raises(Killed):
            publish(tmp_path, "digits", artefact())
        assert versions(tmp_path) == []
    monkeypatch.undo()

    assert publish(tmp_path, "digits", artefact()).version == 1
    assert {"1", ".publish.lock"} == set(os.listdir(tmp_path / "digits"))


def test_publishers_at_the_same_time_get_different_versions(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: publish(tmp_path, "digits", artefact(f"run{number}")).version, range(16)))

    assert sorted(made) == list(range(1, 17)) == versions(tmp_path)


def test_publishers_of_one_run_at_the_same_time_make_one_version(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: publish(tmp_path, "digits", artefact()), range(16)))

    assert len(made) == 1
    assert versions(tmp_path) == [1]


def test_a_version_with_a_description_of_another_kind_is_passed_over(tmp_path):
    (tmp_path / "digits" / "1").mkdir(parents=True)
    (tmp_path / "digits" / "1" / "model.json").write_text(json.dumps({"metadata": "none"}))

    assert publish(tmp_path, "digits", artefact()).version == 2


def test_a_repository_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "models").write_text("a file")

    with pytest.raises(PublishError, match="cannot write model 'digits' into") as caught:
        publish(tmp_path / "models", "digits", artefact())

    assert caught.value.retryable, "training is not done again because a disk was full"


def test_a_bundle_is_published_with_all_its_files_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / "made" / "inner").mkdir(parents=True)
    (tmp_path / "made" / "inner" / "b").write_bytes(b"bytes")
    content = b'{"files":{}}'
    files = {"inner/b": tmp_path / "made" / "inner" / "b"}
    given = Artefact("run1", content, format="peft", files=files)
    with monkeypatch.context() as broken:
        broken.setattr(module.shutil, "copyfileobj", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(PublishError):
            publish(tmp_path, "answers", given)
    assert not (tmp_path / "answers" / "1").exists()

    published = publish(tmp_path, "answers", given)

    folder = tmp_path / "answers" / "1"
    assert (folder / "inner" / "b").read_bytes() == b"bytes"
    description = read_description(folder)
    assert (description.format, description.file, description.sha256) == ("peft", "files.json", sha256_of(content))
    assert published.sha256 == sha256_of(content)
    assert read_verified(folder, description) == content
