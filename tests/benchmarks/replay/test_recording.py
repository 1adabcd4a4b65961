"""A recording is one file, whole or not there, and each of its events has room for exactly one stamp."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.benchmarks.errors import UnusableRecording
from windlass.benchmarks.replay.recording import STAMP_DIGITS, Recording, blank, stamp_of, stamp_place

EVENT = b'{"type":"MODIFIED","object":{"metadata":{"resourceVersion":"8"},"spec":{"stamp":"%s"}}}\n' % blank().encode()
RECORDING = Recording(
    documents={"/version": b"{}"},
    path="/apis/ex.dev/v1/widgets",
    api_version="ex.dev/v1",
    kind="Widget",
    version="7",
    items=[b'{"metadata":{"name":"a"}}'],
    events=[EVENT],
    tls=True,
)


def test_what_was_saved_is_loaded_and_nothing_else_is_left_in_the_folder(tmp_path):
    path = tmp_path / "recording"
    RECORDING.save(path)

    assert Recording.load(path) == RECORDING
    assert list(tmp_path.iterdir()) == [path]


def test_a_recording_that_could_not_be_written_leaves_nothing(tmp_path):
    path = tmp_path / "recording"
    path.mkdir()

    with pytest.raises(OSError, match="recording"):
        RECORDING.save(path)

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "expected a recording of windlass bench"),
        (b"no recording", "expected a recording of windlass bench"),
        (msgspec.msgpack.encode(RECORDING)[:-1], "expected a recording of windlass bench"),
        (msgspec.msgpack.encode(msgspec.structs.replace(RECORDING, events=[EVENT, b"{}\n"])), "event 1 has no room"),
    ],
    ids=["absent", "empty", "foreign", "cut", "without-room"],
)
def test_a_file_that_is_no_recording_is_named_with_what_is_wrong(content, message, tmp_path):
    path = tmp_path / "recording"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UnusableRecording, match=message) as found:
        Recording.load(path)

    assert str(path) in str(found.value)


@given(st.integers(0, 10**STAMP_DIGITS - 1))
def test_every_moment_fills_the_room_of_a_blank_stamp_exactly(moment):
    place = stamp_place(EVENT)
    filled = EVENT[:place] + stamp_of(moment) + EVENT[place + STAMP_DIGITS :]

    assert len(filled) == len(EVENT)
    assert msgspec.json.decode(filled)["object"]["spec"]["stamp"] == str(moment).rjust(STAMP_DIGITS, "0")


@pytest.mark.parametrize(
    "event",
    [
        b'{"spec":{"other":"0000000000000000000"}}',
        b'{"spec":{"stamp":""}}',
        b'{"spec":{"stamp":"000000000000000000"}}',
        b'{"spec":{"stamp":"00000000000000000000"}}',
        b'{"spec":{"stamp":"000000000000000000x"}}',
        b'{"spec":{"stamp":"0000000000000000000"},"status":{"stamp":"0000000000000000000"}}',
    ],
    ids=["none", "empty", "short", "long", "no-digits", "two"],
)
def test_an_event_without_room_for_exactly_one_stamp_has_no_place_for_it(event):
    assert stamp_place(event) is None
