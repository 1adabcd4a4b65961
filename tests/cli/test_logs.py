import io
import json
import logging
import sys
from contextlib import contextmanager

from windlass.cli.logs import log_to_stderr, logging_to_file


@contextmanager
def logging_to_stderr(level, *, style):
    """A root logger as a new process has it, and the stream that is stderr meanwhile."""
    root = logging.getLogger()
    before, root.handlers, level_before, stderr = root.handlers, [], root.level, sys.stderr
    root.setLevel(logging.WARNING)
    try:
        log_to_stderr(level, style=style)
        sys.stderr = io.StringIO()  # after the handler was made: it has to ask for stderr each time
        yield sys.stderr
    finally:
        root.handlers, sys.stderr = before, stderr
        root.setLevel(level_before)


def test_a_record_names_the_object_that_it_is_about():
    with logging_to_stderr(logging.INFO, style="full") as stream:
        logging.getLogger("windlass.x").info("moved", extra={"key": "default/digits"})
        logging.getLogger("windlass.x").info("no object")

    about, nothing = stream.getvalue().splitlines()
    assert about.endswith("INFO windlass.x: default/digits: moved")
    assert nothing.endswith("INFO windlass.x: no object")


def test_brief_records_are_one_line_even_with_an_exception():
    with logging_to_stderr(logging.WARNING, style="brief") as stream:
        logging.getLogger("windlass.x").info("not worth telling")
        logging.getLogger("windlass.x").error("it broke", exc_info=ValueError("inside"))

    assert stream.getvalue() == "ERROR windlass.x: it broke\n"


def test_full_records_keep_the_traceback():
    with logging_to_stderr(logging.WARNING, style="full") as stream:
        logging.getLogger("windlass.x").error("it broke", exc_info=ValueError("inside"))

    assert "ValueError: inside" in stream.getvalue()


def test_a_file_gets_more_than_stderr_and_is_let_go_of(tmp_path):
    path = tmp_path / "log"
    with logging_to_stderr(logging.ERROR, style="brief") as stream:
        with logging_to_file(path, logging.INFO):
            logging.getLogger("windlass.x").info("moved", extra={"key": "default/digits"})
            logging.getLogger("windlass.x").error("it broke", exc_info=ValueError("inside"))
        logging.getLogger("windlass.x").info("afterwards")

    assert stream.getvalue() == "ERROR windlass.x: it broke\n"
    assert "INFO windlass.x: default/digits: moved\n" in path.read_text()
    assert "ValueError: inside" in path.read_text()
    assert "afterwards" not in path.read_text()


def test_a_json_record_is_one_line_with_the_run_s_facts_as_fields():
    with logging_to_stderr(logging.INFO, style="json") as stream:
        logging.getLogger("windlass.x").info("moved", extra={"key": "default/digits"})
        logging.getLogger("windlass.x").error("it broke", exc_info=ValueError("inside"))

    moved, broke = (json.loads(line) for line in stream.getvalue().splitlines())
    assert {name: moved[name] for name in moved if name != "time"} == {
        "level": "info",
        "logger": "windlass.x",
        "message": "moved",
        "key": "default/digits",
    }
    assert broke["error"].endswith("ValueError: inside")
