"""The program that tunes: what it leaves, what it says, and that a kill changes nothing about either."""

import json
import math
import os
import signal
import subprocess
import sys

import attrs
import numpy as np
import pytest
from llm_tables import SETTINGS, write_texts

from windlass.operators.training.bundle import files_of
from windlass.operators.training.exitcodes import FAILED
from windlass.operators.training.llm import trainer
from windlass.operators.training.llm.trainer import main

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def lines_of(folder):
    return [json.loads(line) for line in folder.progress_log.read_text().splitlines()]


def tensors(path):
    from safetensors.numpy import load_file

    return load_file(path)


def done(run, *arguments, **changes):
    folder, config = run(*arguments, **changes)
    assert main([str(folder.path), "--attempt", "1"]) == 0
    return folder, config


def test_a_run_writes_its_split_its_progress_its_bundle_and_last_its_result(run):
    folder, _ = done(run, settings=attrs.evolve(SETTINGS, epochs=12))

    result = folder.result()
    held = json.loads(folder.split.read_text())["heldOut"]
    told = lines_of(folder)
    assert (result.format, result.classes, result.progress.epoch, result.progress.epochs) == ("peft", (), 12, 12)
    assert told[-1]["loss"] < 0.7 * told[0]["loss"]
    assert [line["step"] for line in told] == sorted({line["step"] for line in told})
    assert set(range(1, 13)) <= {line["epoch"] for line in told}
    assert result.held_out.rows == len(held)
    assert 0 < result.held_out.loss < math.log(320), "worse than guessing among all tokens"
    assert 0 <= result.held_out.exact_match <= result.held_out.accuracy <= 1
    written = json.loads((folder.path / "result.json").read_text())
    assert written["heldOut"]["perplexity"] == pytest.approx(math.exp(result.held_out.loss))
    assert sorted(files_of(folder.bundle)) == ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"]
    newest = max((path for path in folder.path.iterdir() if path.is_file()), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == "result.json"


@pytest.mark.parametrize(
    ("family", "layer"), [("llama", "model.layers.0.mlp.up_proj"), ("gpt2", "transformer.h.0.mlp.c_fc")]
)
def test_the_merged_model_is_the_base_with_the_adapter_s_product_and_nothing_else(run, tiny, family, layer):
    folder, _ = done(run, family=family, merge=True)
    base, merged = (tensors(path / "model.safetensors") for path in (tiny / family, folder.bundle / "merged"))
    adapter = tensors(folder.bundle / "adapter" / "adapter_model.safetensors")

    assert all("lora_" in name for name in adapter)
    changed = {name for name in base if not np.array_equal(base[name], merged[name])}
    assert base.keys() == merged.keys()
    assert len(changed) == len(adapter) / 2
    a, b = (adapter[f"base_model.model.{layer}.lora_{one}.weight"] for one in "AB")
    product = b @ a * SETTINGS.alpha / SETTINGS.rank
    product = product.T if family == "gpt2" else product
    np.testing.assert_allclose(merged[f"{layer}.weight"], base[f"{layer}.weight"] + product, atol=1e-5)
    assert (folder.bundle / "merged" / "tokenizer.json").exists()


@pytest.mark.realtime(limit=240)
def test_a_run_killed_twice_ends_with_the_same_bundle_to_the_byte(run):
    """M24, A7, A8: the real program, SIGKILL, other processes."""
    undisturbed, _ = done(run, "one")
    disturbed, _ = run("other")
    for attempt, lines in ((1, 2), (2, 3)):
        command = [sys.executable, "-P", "-m", "windlass.operators.training.llm.trainer", str(disturbed.path)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*command, "--attempt", str(attempt)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    assert main([str(disturbed.path), "--attempt", "3"]) == 0

    assert disturbed.result().model_sha256 == undisturbed.result().model_sha256
    assert disturbed.result().held_out == undisturbed.result().held_out
    steps = [line["step"] for line in lines_of(disturbed)]
    assert steps == sorted(set(steps)) == [line["step"] for line in lines_of(undisturbed)]


class Stopped(BaseException):
    """What a kill is in a process that cannot be killed."""


@pytest.mark.parametrize("moment", ["report", "write_product", "look"])
def test_whatever_is_interrupted_is_done_again_with_the_same_bytes(run, monkeypatch, moment):
    undisturbed, _ = done(run, "one")
    disturbed, _ = run("other")

    def stop(*_, **__):
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(trainer, moment, stop)
        with pytest.raises(Stopped):
            main([str(disturbed.path), "--attempt", "1"])
    assert disturbed.result() is None

    assert main([str(disturbed.path), "--attempt", "2"]) == 0

    assert disturbed.result().model_sha256 == undisturbed.result().model_sha256


def test_a_damaged_checkpoint_is_passed_over_and_changes_no_byte(run, capsys):
    folder, _ = done(run)
    before = folder.result().model_sha256
    (folder.path / "result.json").unlink()
    last = max(folder.checkpoints.iterdir())
    (last / "arrays.npz").write_bytes(b"")

    assert main([str(folder.path), "--attempt", "2"]) == 0

    assert folder.result().model_sha256 == before
    assert f"checkpoint {last.name} is not used" in capsys.readouterr().err


def test_a_run_of_plain_texts_knows_no_exact_matches(run, tmp_path):
    texts = write_texts(tmp_path / "texts", range(20), text=["the island is green"] * 20)
    folder, _ = done(run, data=texts)

    assert folder.result().held_out.exact_match is None
    assert folder.result().held_out.loss > 0


def failure_of(folder):
    assert main([str(folder.path), "--attempt", "1"]) == FAILED
    assert folder.result() is None
    return folder.failure()


def test_a_base_that_changed_since_the_run_began_is_refused(run, tiny, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    for path in (tiny / "llama").iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    folder, _ = done(run, model=str(base))
    (folder.path / "result.json").unlink()
    (base / "generation_config.json").write_text("{}")

    failure = failure_of(folder)

    assert failure.reason == "BaseModelChanged"
    assert f"{base}: expected the model with the digest" in failure.message


@pytest.mark.parametrize(
    ("spoil", "reason", "told"),
    [
        ("config.json", "ModelUnusable", "expected a folder with a config.json"),
        ("model.safetensors", "ModelUnusable", r"expected weights in files called \*\.safetensors"),
        ("family", "FamilyNotFound", "model_type: .*'bert'.*gpt2, llama"),
        ("broken weights", "ModelUnusable", "the model does not load"),
        ("fewer weights", "ModelUnusable", r"1 of its weights are missing or of another shape, as model\.norm\.weight"),
        ("tokenizer.json", "ModelUnusable", "its tokenizer does not load"),
    ],
)
def test_a_base_that_cannot_be_used_is_the_run_s_verdict(run, tiny, tmp_path, spoil, reason, told):
    base = tmp_path / "base"
    base.mkdir()
    for path in (tiny / "llama").iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    if spoil == "family":
        (base / "config.json").write_text(json.dumps({"model_type": "bert"}))
    elif spoil == "broken weights":
        (base / "model.safetensors").write_bytes(b"no tensors")
    elif spoil == "fewer weights":
        from safetensors.numpy import save_file

        kept = {name: one for name, one in tensors(base / "model.safetensors").items() if name != "model.norm.weight"}
        save_file(kept, base / "model.safetensors", metadata={"format": "pt"})
    else:
        (base / spoil).unlink()
    folder, _ = run(model=str(base))

    failure = failure_of(folder)

    assert failure.reason == reason
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(failure.message)


def test_code_that_comes_with_a_model_is_never_run(run, tiny, tmp_path):
    """A folder that says where its own code lies is refused or read without it."""
    base = tmp_path / "base"
    base.mkdir()
    for path in (tiny / "llama").iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    described = json.loads((base / "config.json").read_text())
    auto = {name: f"evil.{name}" for name in ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")}
    (base / "config.json").write_text(json.dumps({**described, "auto_map": auto}))
    (base / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    folder, _ = run(model=str(base))

    main([str(folder.path), "--attempt", "1"])

    assert not (tmp_path / "ran").exists()
