"""Each way in which a data version can be unusable has a reason of its own (A2), shown on real tables."""

import json
import os
import shutil

import attrs
import numpy as np
import pytest
from deltalake import DeltaTable

from windlass.operators.errors import DataError
from windlass.operators.training.dataversion import DataRecord, Opened, Refused, judge, resolve

RECORD = DataRecord("/t", "table-a", 3, "digest", 2, 10)


def log_file(path, version):
    return path / "_delta_log" / f"{version:020d}.json"


def four_versions(lab):
    for version in range(4):
        path = lab.write("table", mode="append", row=np.arange(3) + 3 * version, label=np.arange(3))
    return path


def reason_of(*args, **kwargs):
    with pytest.raises(DataError) as caught:
        resolve(*args, **kwargs)
    return caught.value.reason


def test_the_record_names_table_version_files_and_rows(lab):
    path = four_versions(lab)

    record = resolve(str(path), 2)

    assert (str(path), DeltaTable(str(path)).metadata().id, 2, 3, 9) == (
        record.uri,
        record.table_id,
        record.version,
        record.num_files,
        record.rows,
    )


def test_latest_is_the_newest_version_now(lab):
    assert resolve(str(four_versions(lab)), "latest").version == 3


def test_a_file_uri_and_a_path_resolve_alike(lab):
    path = four_versions(lab)

    by_path, by_uri = resolve(str(path), 1), resolve(path.as_uri(), 1)

    assert by_path == attrs.evolve(by_uri, uri=str(path))


def test_a_path_with_a_space_resolves(lab):
    path = lab.write("a table", row=np.arange(3), label=np.arange(3))

    assert resolve(str(path), 0).rows == resolve(path.as_uri(), 0).rows == 3


def test_the_digest_depends_on_the_files_and_only_on_them(lab):
    path = four_versions(lab)
    shutil.copytree(path, lab.path / "copy")

    assert resolve(str(path), 1).files_sha256 == resolve(str(lab.path / "copy"), 1).files_sha256
    assert resolve(str(path), 1).files_sha256 != resolve(str(path), 2).files_sha256


@pytest.mark.parametrize("version", [0, "latest"])
def test_nothing_there_is_table_not_found(lab, version):
    assert reason_of(str(lab.path / "none"), version) == "TableNotFound"


def test_an_empty_folder_is_table_not_found(lab):
    assert reason_of(str(lab.path), "latest") == "TableNotFound"


def test_a_relative_path_is_refused_because_nobody_knows_relative_to_what():
    assert reason_of("data/table", 0) == "TableNotFound"


def test_an_unknown_scheme_is_table_not_found():
    assert reason_of("nosuch://bucket/table", 0) == "TableNotFound"


def test_a_version_beyond_the_newest_is_not_found_and_the_newest_is_named(lab):
    with pytest.raises(DataError, match="no version 99, its newest is 3") as caught:
        resolve(str(four_versions(lab)), 99)

    assert caught.value.reason == "DataVersionNotFound"


@pytest.mark.parametrize("version", ["3", "newest", -1])
def test_a_version_that_is_neither_a_number_nor_latest_is_refused(lab, version):
    assert reason_of(str(four_versions(lab)), version) == "DataVersionNotFound"


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_version_cleaned_from_the_log_is_expired_though_the_library_says_not_found(lab, version):
    path = four_versions(lab)
    DeltaTable(str(path)).create_checkpoint()
    for gone in range(3):
        log_file(path, gone).unlink()

    assert reason_of(str(path), version) == "DataVersionExpired"
    assert resolve(str(path), 3).version == 3


def test_missing_data_files_are_found_though_the_library_opens_the_version(lab):
    path = four_versions(lab)
    os.remove(sorted(path.glob("*.parquet"))[0])

    with pytest.raises(DataError, match="1 of 4 data files are gone") as caught:
        resolve(str(path), "latest")

    assert caught.value.reason == "DataFilesMissing"


def test_a_table_made_anew_at_the_same_place_is_told_by_its_id(lab):
    path = four_versions(lab)
    pinned = resolve(str(path), 1)
    shutil.rmtree(path)
    four_versions(lab)

    assert reason_of(str(path), 1, expected_table_id=pinned.table_id) == "TableIdMismatch"


def test_a_gap_in_the_log_is_corruption(lab):
    path = four_versions(lab)
    log_file(path, 1).unlink()

    assert reason_of(str(path), "latest") == "TableCorrupt"
    assert reason_of(str(path), 3) == "TableCorrupt"


def test_a_damaged_log_entry_is_corruption_and_older_versions_still_open(lab):
    path = four_versions(lab)
    with log_file(path, 3).open("a") as file:
        file.write("{garbage")

    assert reason_of(str(path), 3) == "TableCorrupt"
    assert resolve(str(path), 2).version == 2


@pytest.mark.parametrize("feature", ["someNewFeature", "catalogManaged"])
def test_a_feature_that_cannot_be_read_is_named_as_such(lab, feature):
    path = four_versions(lab)
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [feature], "writerFeatures": [feature]}
    with log_file(path, 3).open("a") as file:
        file.write(json.dumps({"protocol": protocol}) + "\n")

    assert reason_of(str(path), "latest") == "UnsupportedTableFeature"


def test_judge_accepts_what_opened_and_is_whole():
    assert judge("/t", Opened(RECORD), version=3, newest=Opened(RECORD), expected_table_id="table-a") == RECORD


@pytest.mark.parametrize(
    ("asked", "newest", "version", "reason"),
    [
        (Refused("absent", ""), Refused("absent", ""), 0, "TableNotFound"),
        (Refused("corrupt", ""), Opened(RECORD), 4, "DataVersionNotFound"),
        (Refused("absent", ""), Opened(RECORD), 1, "DataVersionExpired"),
        (Refused("incomplete", ""), Opened(RECORD), 1, "DataVersionExpired"),
        (Refused("corrupt", ""), Opened(RECORD), 1, "TableCorrupt"),
        (Refused("corrupt", ""), Refused("corrupt", ""), 1, "TableCorrupt"),
        (Refused("unsupported", ""), Opened(RECORD), 1, "UnsupportedTableFeature"),
        (Refused("corrupt", ""), Refused("unsupported", ""), 1, "UnsupportedTableFeature"),
        (Refused("unreachable", ""), Refused("unreachable", ""), 1, "TableUnreachable"),
        (Refused("unreachable", ""), Refused("unreachable", ""), None, "TableUnreachable"),
        (Opened(RECORD, ("x.parquet",)), Opened(RECORD), 3, "DataFilesMissing"),
        (Opened(attrs.evolve(RECORD, table_id="other")), Opened(RECORD), 3, "TableIdMismatch"),
    ],
)
def test_judge_gives_each_fault_its_reason_and_only_unreachable_is_worth_another_try(asked, newest, version, reason):
    with pytest.raises(DataError) as caught:
        judge("/t", asked, version=version, newest=newest, expected_table_id="table-a")

    assert reason == caught.value.reason
    assert caught.value.retryable == (reason == "TableUnreachable")
    assert "/t" in str(caught.value)


PanicException = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})


def test_a_panic_of_the_library_is_the_tables_end_and_is_not_tried_again(lab, monkeypatch):
    """It is no Exception, and would be tried again for ever if it were let through."""

    def panics(*_, **__):
        raise PanicException("called `Result::unwrap()` on an `Err` value")

    monkeypatch.setattr("deltalake.DeltaTable", panics)
    with pytest.raises(DataError, match=r"the Delta library cannot cope with /a\[b: called `Result::unwrap") as caught:
        resolve("/a[b", 0)

    assert (caught.value.reason, caught.value.retryable) == ("TableCorrupt", False)


def test_an_interruption_is_no_panic(lab, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("deltalake.DeltaTable", interrupted)
    with pytest.raises(KeyboardInterrupt):
        resolve("/a", 0)


@pytest.mark.parametrize("name", ["a[b", "a]b", "a|b", "a{b}", "a*b", "a^b", "a#b"])
def test_a_path_with_characters_of_patterns_and_uris_resolves(lab, name):
    shutil.copytree(lab.write(row=np.arange(3), label=np.arange(3)), lab.path / name)

    assert resolve(str(lab.path / name), 0).rows == 3
