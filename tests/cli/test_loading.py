import sys

import click
import pytest

from windlass.cli.loading import load_object


def load(reference):
    return load_object(reference, option="--operator")


def test_a_name_and_a_dotted_path_in_a_module_are_found():
    assert load("json:loads") is sys.modules["json"].loads
    assert load("json:JSONDecoder.decode") is sys.modules["json"].JSONDecoder.decode


def test_a_module_of_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "loading_lives_here.py").write_text("answer = 42\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    assert load("loading_lives_here:answer") == 42


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("json", "expected MODULE:NAME, found 'json'"),
        (":loads", "expected MODULE:NAME, found ':loads'"),
        ("json:", "expected MODULE:NAME, found 'json:'"),
        ("", "expected MODULE:NAME, found ''"),
        ("no_such_module:x", "cannot import no_such_module: No module named 'no_such_module'"),
        ("json:nothing", "module json has no 'nothing'"),
        ("json:JSONDecoder.nothing", "module json has no 'JSONDecoder.nothing'"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_with_the_reason(reference, says, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(click.BadParameter) as caught:
        load(reference)

    assert caught.value.message == says
    assert caught.value.param_hint == "--operator"


@pytest.mark.parametrize("code", ["raise RuntimeError('the moon is not right')", "1 +"], ids=["raises", "syntax"])
def test_a_module_that_cannot_be_executed_is_refused_and_not_a_crash(code, tmp_path, monkeypatch):
    (tmp_path / "loading_breaks.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(click.BadParameter, match="cannot import loading_breaks: "):
        load("loading_breaks:x")
