"""`windlass journal`: the timeline, every fault in it, and 1 as the exit code if there is one."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from windlass.cli.journal import command
from windlass.operators.training.phases import MACHINE
from windlass.statemachine.journal import Entry, to_json

AT = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
LIFE = ("accept", "pin", "start", "finish", "pass", "publish")


def life(*, subject="TrainingJob default/digits", writers=("w-0",)):
    state, entries = MACHINE.initial, []
    for number, event in enumerate(LIFE):
        target = MACHINE.next(state, event)
        entries.append(
            Entry(
                at=AT + timedelta(seconds=number),
                source=state,
                target=target,
                cause=event,
                trace_id=f"run-{number}",
                writer=writers[number % len(writers)],
                version_before=str(10 + number),
                version_after=str(11 + number),
                subject=subject,
                uid="u",
                generation=1,
            )
        )
        state = target
    return entries


def write(path, entries):
    path.write_text("".join(json.dumps(to_json(entry)) + "\n" for entry in entries))
    return str(path)


def run(*arguments):
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


def test_a_clean_life_is_told_and_is_no_failure(tmp_path):
    told = run("explain", write(tmp_path / "j", life()))

    assert told.return_value == 0
    lines = told.output.splitlines()
    assert lines[0] == "TrainingJob default/digits (u)"
    assert lines[1] == ("  2026-08-01 12:00:00Z  Pending → VerifyingData  accept  by w-0  version 10 → 11  trace run-0")
    assert lines[-1] == "1 object(s), 6 transition(s), no faults"


def test_faults_are_named_below_the_timeline_and_fail(tmp_path):
    entries = life(writers=("w-0", "w-1"))
    told = run("explain", write(tmp_path / "j", [entries[0], entries[2], entries[3], entries[3]]))

    assert told.return_value == 1
    assert "✗ 12:00:02 skipped: VerifyingData → Queued by w-0 without a record of it" in told.output
    assert "✗ 12:00:03 lost update: w-1 wrote Running → Validating on version 13, on which w-1 had" in told.output
    assert told.output.splitlines()[-1] == "1 object(s), 4 transition(s), 2 faults"


def test_one_object_of_a_file_can_be_asked_for_and_other_kinds_are_none_of_ours(tmp_path):
    path = write(tmp_path / "j", [*life(), *life(subject="TrainingJob default/other")[:1], *life(subject="Pod a/b")])

    assert run("explain", path).output.splitlines()[-1] == "2 object(s), 7 transition(s), no faults"
    assert run("explain", path, "--only", "default/other").output.splitlines()[-1].startswith("1 object(s), 1 trans")


def test_json_carries_all_of_it(tmp_path):
    entries = life()
    told = run("explain", "--json", write(tmp_path / "j", [entries[0], entries[2]]))

    found = json.loads(told.output)
    assert (told.return_value, [one["kind"] for one in found["findings"]]) == (1, ["skipped"])
    assert found["entries"] == [to_json(entries[0]), to_json(entries[2])]
    assert found["findings"][0]["writers"] == ["w-0"]


def test_an_export_is_a_journal_again(tmp_path):
    path = write(tmp_path / "j", life())

    assert run("export", path).output == (tmp_path / "j").read_text()


def test_a_last_line_that_a_crash_cut_off_is_passed_over_and_any_other_is_an_error(tmp_path):
    lines = (tmp_path / "j", write(tmp_path / "j", life()))[0].read_text().splitlines()
    (tmp_path / "cut").write_text("\n".join([*lines, '{"at": "20']))
    (tmp_path / "torn").write_text("\n".join(['{"at": "20', *lines]))

    assert run("explain", str(tmp_path / "cut")).return_value == 0
    assert 'torn, line 1: expected a JSON object, found \'{"at": "20\'' in str(
        run("explain", str(tmp_path / "torn")).exception
    )


def test_a_line_that_is_no_entry_is_named(tmp_path):
    (tmp_path / "j").write_text('{"source": "a"}\n')

    assert "j, line 1: at: expected a string, found nothing" in str(run("explain", str(tmp_path / "j")).exception)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no line of a journal"),
        (b"\xff\xfe\x00", "holds no line of a journal"),
        (b'{"at": "20', "holds no line of a journal"),
        (b"a: [\nb: 1\n", "line 1: expected a JSON object"),
    ],
)
def test_a_file_that_is_no_journal_is_wrong_usage(tmp_path, content, says):
    (tmp_path / "j").write_bytes(content)
    told = CliRunner().invoke(command, ["explain", str(tmp_path / "j")], terminal_width=400)

    assert (told.exit_code, says in told.output) == (2, True), told.output


def test_a_journal_without_what_was_asked_for_says_what_it_has(tmp_path):
    ours = write(tmp_path / "ours", [*life(), *life(subject="TrainingJob default/other"), *life(subject="Pod a/b")])
    theirs = write(tmp_path / "theirs", life(subject="Thing a/b"))
    bare = write(tmp_path / "bare", life(subject="TrainingJob"))

    for arguments, says in (
        ((ours, "--only", "x/y"), "ours has no TrainingJob x/y; it has default/digits, default/other"),
        ((theirs,), "theirs is about Thing, and not about TrainingJob; say --kind"),
        ((theirs, "--only", "a/b"), "theirs is about Thing, and not about TrainingJob; say --kind"),
        ((bare, "--only", "a/b"), "bare has no TrainingJob a/b; it has"),
    ):
        for reading in ("explain", "export"):
            error = run(reading, *arguments).exception
            assert (says in str(error), getattr(error, "exit_code", None)) == (True, 2), error


def audited(kind, *, level="RequestResponse", **status):
    """A line of an audit log: somebody patched the status of such an object."""
    answer = {"kind": kind, "metadata": {"name": "x", "namespace": "a", "resourceVersion": "7"}, "status": status}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "stage": "ResponseComplete",
        "verb": "patch",
        "stageTimestamp": "2026-08-01T12:00:00.000000Z",
        "objectRef": {"resource": f"{kind.lower()}s", "namespace": "a", "name": "x", "subresource": "status"},
        "responseStatus": {"code": 200},
        **({"responseObject": answer} if level == "RequestResponse" else {}),
    }


@pytest.mark.parametrize("arguments", [(), ("--only", "a/x")])
@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([audited("Thing"), audited("Lease")], "log is about Lease, Thing, and not about TrainingJob; say --kind"),
        ([audited("TrainingJob", level="Metadata")], "(audit level RequestResponse), found none"),
    ],
)
def test_an_audit_log_without_what_was_asked_for_says_what_it_has(tmp_path, events, says, arguments):
    (tmp_path / "log").write_text("".join(json.dumps(event) + "\n" for event in events))
    for reading in ("explain", "export"):
        error = run(reading, str(tmp_path / "log"), *arguments).exception
        assert (says in str(error), getattr(error, "exit_code", None)) == (True, 2), error


def test_an_audit_log_in_which_an_object_stayed_where_it_was_has_no_transitions(tmp_path):
    (tmp_path / "log").write_text(json.dumps(audited("TrainingJob", phase="Queued")))
    told = run("explain", str(tmp_path / "log"))

    assert (told.return_value, told.output) == (0, "no transitions\n")


def test_half_a_character_is_shown_as_a_question_mark(tmp_path):
    path = write(tmp_path / "j", life(writers=("w\ud800",)))

    assert "by w?" in run("explain", path).output
    assert '"w?"' in run("export", path).output


def test_many_objects_are_not_all_named(tmp_path):
    path = write(tmp_path / "j", [entry for n in range(9) for entry in life(subject=f"TrainingJob d/{n}")])

    assert "it has d/0, d/1, d/2, d/3, d/4 and 4 more" in str(run("explain", path, "--only", "x/y").exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--machine", "json:loads"), "json:loads is not a Machine"),
        (("--kind", "json:loads"), "json:loads is not a CustomResource class"),
        (("--only", "a/b/c"), "a/b/c: neither a file nor the name of an object"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, arguments, message):
    assert message in str(run("explain", write(tmp_path / "j", life()), *arguments).exception)
