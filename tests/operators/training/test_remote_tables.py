"""Tables in an S3-compatible store: every fault of A2 has its own reason there, too, and no secret is told of it."""

import numpy as np
import pytest
from arro3.core import Array, Table
from deltalake import DeltaTable, write_deltalake
from stores import OPTIONS, client, free_port, s3, secret, webdav

from windlass.operators.errors import DataError
from windlass.operators.training.apart import read_rows_apart, resolve_apart
from windlass.operators.training.dataversion import resolve
from windlass.operators.training.storage import FOLDER

pytestmark = pytest.mark.realtime(limit=120)


@pytest.fixture(scope="module")
def store():
    with s3() as url:
        yield url


@pytest.fixture(autouse=True)
def reached(store, tmp_path, monkeypatch):
    """Credentials by a Secret; the environment says nothing of the store."""
    for name in (*OPTIONS, "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv(FOLDER, str(secret(tmp_path / "options", **options_of(store))))


def options_of(url):
    return {**OPTIONS, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "max_retries": "0", "retry_timeout": "3s"}


def written(store, name, *, versions=2, mode="append"):
    """A table of that name with three rows a version."""
    for version in range(versions):
        columns = {"row": np.arange(3) + 3 * version, "label": np.arange(3), "x": np.arange(3.0)}
        table = Table.from_pydict({key: Array.from_numpy(value) for key, value in columns.items()})
        write_deltalake(f"s3://tables/{name}", table, mode=mode, storage_options=options_of(store))
    return f"s3://tables/{name}"


def keys(store, name, end):
    found = client(store).list_objects_v2(Bucket="tables", Prefix=f"{name}/")
    return sorted(one["Key"] for one in found.get("Contents", []) if one["Key"].endswith(end))


def remove(store, key):
    client(store).delete_object(Bucket="tables", Key=key)


def refused(*args, **kwargs):
    with pytest.raises(DataError) as caught:
        resolve(*args, **kwargs)
    assert OPTIONS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)
    assert caught.value.retryable == (caught.value.reason == "TableUnreachable")
    return caught.value


def test_a_table_is_verified_pinned_and_read_with_the_options_of_a_secret(store):
    uri = written(store, "whole")

    record = resolve_apart(uri, 0)
    rows = read_rows_apart(record)

    assert (record.uri, record.version, record.rows, record.num_files) == (uri, 0, 3, 1)
    assert (rows.names, rows.ids.tolist()) == (("x",), [0, 1, 2])
    assert resolve_apart(uri, "latest", expected_table_id=record.table_id).version == 1


def test_the_environment_of_the_process_does_as_well(store, monkeypatch):
    monkeypatch.delenv(FOLDER)
    for name, value in options_of(store).items():
        monkeypatch.setenv(name, value)

    assert resolve(written(store, "by-environment", versions=1), "latest").rows == 3


def test_what_is_not_there_is_told_apart(store):
    uri = written(store, "there")

    assert refused("s3://tables/none", "latest").reason == "TableNotFound"
    assert refused("s3://no-such-bucket/t", 0).reason == "TableNotFound"
    newer = refused(uri, 9)
    assert (newer.reason, str(newer)) == ("DataVersionNotFound", f"{uri} has no version 9, its newest is 1")


def test_a_version_cleaned_from_the_log_is_expired(store):
    uri = written(store, "cleaned", versions=3)
    DeltaTable(uri, storage_options=options_of(store)).create_checkpoint()
    for key in keys(store, "cleaned", ".json")[:2]:
        remove(store, key)

    assert refused(uri, 0).reason == "DataVersionExpired"


def test_a_table_that_was_vacuumed_misses_files_of_old_versions_and_the_first_is_named(store):
    uri = written(store, "vacuumed", versions=1)
    written(store, "vacuumed", versions=1, mode="overwrite")
    pinned = resolve(uri, 0)
    before = set(keys(store, "vacuumed", ".parquet"))
    table = DeltaTable(uri, storage_options=options_of(store))
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    error = refused(uri, 0)

    assert error.reason == "DataFilesMissing"
    assert "1 of 1 data files are gone" in str(error)
    assert before > set(keys(store, "vacuumed", ".parquet"))
    with pytest.raises(DataError) as caught:
        read_rows_apart(pinned)
    assert caught.value.reason == "DataFilesMissing"
    assert resolve(uri, "latest").rows == 3


def test_a_table_made_anew_at_the_same_place_is_told_by_its_id(store):
    uri = written(store, "anew")
    pinned = resolve(uri, 0)
    for key in (*keys(store, "anew", ".json"), *keys(store, "anew", ".parquet")):
        remove(store, key)
    written(store, "anew")

    assert refused(uri, 0, expected_table_id=pinned.table_id).reason == "TableIdMismatch"


def test_a_damaged_log_is_corruption_and_an_unknown_feature_is_named(store):
    uri = written(store, "damaged")
    client(store).put_object(Bucket="tables", Key=keys(store, "damaged", ".json")[1], Body=b"{garbage")
    assert refused(uri, 1).reason == "TableCorrupt"

    uri = written(store, "newer")
    protocol = (
        b'{"protocol":{"minReaderVersion":3,"minWriterVersion":7,'
        b'"readerFeatures":["someNewFeature"],"writerFeatures":["someNewFeature"]}}'
    )
    client(store).put_object(Bucket="tables", Key=keys(store, "newer", ".json")[1], Body=protocol)
    assert refused(uri, "latest").reason == "UnsupportedTableFeature"


def test_a_store_that_does_not_answer_is_worth_another_try(store, tmp_path, monkeypatch):
    nobody = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv(FOLDER, str(secret(tmp_path / "other", **options_of(nobody))))

    error = refused("s3://tables/t", "latest")

    assert error.reason == "TableUnreachable"
    assert "Connection refused" in str(error)
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_scheme_that_the_library_cannot_read_is_named_with_what_can_be_done(scheme):
    error = refused(f"{scheme}://127.0.0.1/t", "latest")

    assert error.reason == "TableNotFound"
    assert f"the Delta library reads no {scheme}://" in str(error)
    assert "reached by s3:// or webdav://" in str(error)


def test_a_fault_is_told_by_a_reader_apart_as_it_is_in_place(store):
    with pytest.raises(DataError) as caught:
        resolve_apart("s3://tables/none", 3)

    assert str(caught.value) == str(refused("s3://tables/none", 3))
    assert caught.value.reason == "TableNotFound"


@pytest.mark.parametrize(
    ("does", "reason"), [("kill -9 $$", "TableUnreachable"), ("echo oh >&2; exit 3", "TableCorrupt")]
)
def test_a_reader_that_was_killed_is_worth_another_try_and_one_that_gives_up_is_not(
    does, reason, tmp_path, monkeypatch
):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setattr("windlass.operators.training.apart.sys.executable", str(program))

    with pytest.raises(DataError, match="its reader ended with") as caught:
        resolve_apart("s3://tables/t", 0)

    assert caught.value.reason == reason


def test_a_table_behind_http_is_read_by_webdav(tmp_path, monkeypatch):
    columns = {"row": Array.from_numpy(np.arange(3)), "label": Array.from_numpy(np.arange(3))}
    (tmp_path / "files").mkdir()
    write_deltalake(str(tmp_path / "files" / "t"), Table.from_pydict({**columns, "x": columns["row"]}))
    with webdav(tmp_path / "files") as url:
        monkeypatch.setenv(FOLDER, str(secret(tmp_path / "dav", **{"opendal.endpoint": url})))
        record = resolve("webdav://files/t", 0)
        rows = read_rows_apart(record)
        for path in (tmp_path / "files" / "t").glob("*.parquet"):
            path.unlink()
        missing, absent = refused("webdav://files/t", 0), refused("webdav://files/none", 0)

    assert (record.rows, rows.ids.tolist()) == (3, [0, 1, 2])
    assert (missing.reason, absent.reason) == ("DataFilesMissing", "TableNotFound")
