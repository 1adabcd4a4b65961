import sqlite3
import stat

import pytest

from windlass.envtest.apiserver.errors import ServerError
from windlass.envtest.apiserver.store.storage import Database, Key, Store


def thing(name, value=0):
    return {"kind": "T", "value": value, "apiVersion": "v1", "metadata": {"name": name}}


KEY = Key("things", "ns", "a")


def test_every_write_takes_the_next_revision_of_the_one_counter():
    store = Store()
    first, second = store.put(KEY, thing("a")), store.put(Key("others", "", "b"), thing("b"))
    removed = store.remove(KEY)
    assert [first.revision, second.revision, removed.revision] == [2, 3, 4]
    assert removed.metadata["resourceVersion"] == "4"
    assert repr(store) == "<Store objects=1 revision=4>"


def test_stored_bytes_begin_with_apiversion_and_kind_and_the_argument_is_left_alone():
    store, sent = Store(), thing("a")
    stored = store.put(KEY, sent)
    assert stored.raw == b'{"apiVersion":"v1","kind":"T","metadata":{"name":"a","resourceVersion":"2"},"value":0}'
    assert sent["metadata"] == {"name": "a"}


def test_a_database_gives_back_what_was_written_and_the_counter_even_after_removals(tmp_path):
    path = tmp_path / "deep" / "db"
    database = Database(path)
    store = Store(database)
    kept = store.put(KEY, thing("a", 7))
    store.put(Key("things", "ns", "b"), thing("b"))
    store.remove(Key("things", "ns", "b"))
    database.checkpoint()
    database.close()
    database = Database(path)
    again = Store(database)
    assert [stored.raw for stored in again.items("things")] == [kept.raw]
    assert (again.revision, again.oldest) == (4, 4)
    assert not database.checkpoint_due()
    database.close()


def test_a_failed_write_changes_nothing_and_is_not_announced(tmp_path):
    database = Database(tmp_path / "db")
    store = Store(database)
    heard = []
    store.listeners.append(heard.append)
    database.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.put(KEY, thing("a"))
    assert (store.get(KEY), store.revision, heard) == (None, 1, [])


def test_a_file_that_is_no_database_is_reported_by_name(tmp_path):
    path = tmp_path / "db"
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(ServerError, match="db cannot be opened"):
        Database(path)


@pytest.mark.parametrize("there", [False, True], ids=["new", "made by an older version"])
def test_nobody_else_can_read_the_secrets_in_the_file_and_its_log(there, tmp_path):
    path = tmp_path / "db"
    if there:
        Database(path).close()
        path.chmod(0o644)
    database = Database(path)
    Store(database).put(KEY, thing("a"))
    files = [path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))]
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    database.close()
