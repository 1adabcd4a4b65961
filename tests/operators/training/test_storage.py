"""Where the options of stores come from, and that no secret among them is ever told."""

import pytest
from stores import secret

from windlass.operators.errors import DataError
from windlass.operators.training.storage import FOLDER, is_remote, masked, options_for, scheme_of


@pytest.mark.parametrize(
    ("uri", "scheme", "remote"),
    [("/a", "", False), ("file:///a", "file", False), ("S3://b/t", "s3", True), ("webdav://x/t", "webdav", True)],
)
def test_what_has_another_scheme_than_file_is_elsewhere(uri, scheme, remote):
    assert (scheme_of(uri), is_remote(uri)) == (scheme, remote)


def test_a_local_table_is_read_without_options():
    assert options_for("/a") is None


def test_a_mounted_secret_gives_an_option_a_file_and_is_read_anew_each_time(tmp_path, monkeypatch):
    folder = secret(tmp_path / "s", AWS_ACCESS_KEY_ID="one", retry_timeout="7s")
    monkeypatch.setenv(FOLDER, str(folder))

    first = options_for("s3://b/t")
    (folder / "..2026_01_01" / "AWS_ACCESS_KEY_ID").write_text("two")

    assert (first["AWS_ACCESS_KEY_ID"], first["retry_timeout"]) == ("one", "7s")
    assert options_for("s3://b/t")["AWS_ACCESS_KEY_ID"] == "two"
    assert "..data" not in first


def test_without_a_folder_there_are_the_limits_of_patience_alone(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)

    assert set(options_for("s3://b/t")) == {"connect_timeout", "timeout", "max_retries", "retry_timeout"}


def test_a_folder_that_is_not_there_may_be_mounted_yet(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "none"))

    with pytest.raises(DataError, match="expected a folder with one file an option") as caught:
        options_for("s3://b/t")

    assert caught.value.retryable


def test_no_secret_and_no_query_of_a_url_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(secret(tmp_path / "s", azure_storage_sas_key="abcdef", AWS_REGION="us-east-1")))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")

    text = masked("GET https://x/t?sv=1&sig=zz by abcdef and hush-hush in us-east-1? No.")

    assert text == "GET https://x/t by *** and *** in us-east-1? No."
