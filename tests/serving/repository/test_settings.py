"""What serving.json may say, and what is said of one that is wrong."""

import pytest

from windlass.serving.errors import ModelError
from windlass.serving.repository.settings import Latest, ModelSettings, read_settings


def settings(folder, text):
    (folder / "serving.json").write_text(text)
    return read_settings(folder)


def test_a_model_without_the_file_has_no_settings(tmp_path):
    assert read_settings(tmp_path) is None
    assert read_settings(tmp_path / "gone") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ModelSettings()),
        ('{"versions": {"latest": 3}}', ModelSettings(versions=Latest(3))),
        ('{"versions": "all", "pinned": true}', ModelSettings(versions="all", pinned=True)),
        ('{"versions": [1, 7]}', ModelSettings(versions=(1, 7))),
    ],
)
def test_what_it_may_say(tmp_path, text, expected):
    assert settings(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", r"serving.json: body: empty"),
        ('{"versions": {"latest": 0}}', r"versions.latest: expected integer >= 1"),
        ('{"versions": "some"}', r"versions: invalid enum value 'some'"),
        ('{"versions": [1, "2"]}', r"versions\[1\]: expected integer, got string"),
        ('{"version": [1]}', r"object contains unknown field `?version"),
        ('{"pinned": 1}', r"pinned: expected boolean, got integer"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, why):
    with pytest.raises(ModelError, match=why):
        settings(tmp_path, text)
