"""Models whose files lie elsewhere, in a repository: on an HTTP server and on one that speaks S3."""

import hashlib
import json
import socket
import urllib.request

import pytest
from flaky_files import FlakyFiles
from moto.server import ThreadedMotoServer

from windlass.serving.errors import ModelError
from windlass.serving.repository.options import RepositoryOptions
from windlass.serving.repository.repository import ModelRepository
from windlass.serving.sources.cache import Cache

pytestmark = pytest.mark.realtime

CONTENT = b'{"bias": 7, "weight": 0}'
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def described(root, uri, sha256=DIGEST, version=1, **fields):
    """A version folder with nothing but a description."""
    folder = root / "m" / f".{version}"
    folder.mkdir(parents=True)
    description = {"format": "linear", "file": "linear.json", "sha256": sha256, "uri": uri, **fields}
    (folder / "model.json").write_text(json.dumps(description))
    folder.rename(root / "m" / str(version))


@pytest.fixture
def repository(tmp_path):
    now = [0.0]
    options = RepositoryOptions(cache=Cache(tmp_path / "cache", clock=lambda: now[0]))
    made = ModelRepository(tmp_path / "models", options=options)
    made.pass_time = lambda seconds: now.__setitem__(0, now[0] + seconds)
    return made


async def test_a_version_is_served_from_an_http_server(repository):
    with FlakyFiles(linear=CONTENT) as server:
        described(repository.path, f"{server.url}/linear")
        await repository.refresh()
    assert repository.get("m").model.bias == 7.0


async def test_a_file_that_cannot_be_had_is_tried_again_and_the_old_version_serves(repository):
    """W8."""
    other = CONTENT.replace(b"7", b"8")
    with FlakyFiles(one=CONTENT, two=other) as server:
        described(repository.path, f"{server.url}/one")
        await repository.refresh()
        server.statuses = [403] * 8
        described(repository.path, f"{server.url}/two", hashlib.sha256(other).hexdigest(), version=2)
        await repository.refresh()
        assert repository.get("m").version == "1"
        assert repository.index()[1].reason.endswith("/two: reading it is not permitted")
        server.statuses = []
        repository.pass_time(2)
        await repository.refresh()
        assert repository.get("m").version == "2"


async def test_a_wrong_digest_never_serves(repository):
    with FlakyFiles(linear=b'{"bias": 1, "weight": 0}') as server:
        described(repository.path, f"{server.url}/linear")
        with pytest.raises(ModelError, match="its SHA-256 is"):
            await repository.wait_for("m")


async def test_a_copy_that_was_damaged_is_fetched_again(repository):
    with FlakyFiles(linear=CONTENT) as server:
        described(repository.path, f"{server.url}/linear")
        repository.options.cache.folder.mkdir()
        (repository.options.cache.folder / DIGEST).write_bytes(b"damaged")
        await repository.refresh()
    assert repository.get("m").model.bias == 7.0


@pytest.fixture(scope="module")
def s3():
    """A server that speaks S3, with a bucket `models` in which an object is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    for path, body in (("models", b""), ("models/digits/1/linear.json", CONTENT)):
        kind = {"Content-Type": "application/octet-stream"}
        urllib.request.urlopen(urllib.request.Request(f"{url}/{path}", body, kind, method="PUT")).close()
    yield url
    server.stop()


@pytest.fixture
def credentials(s3, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


async def test_a_version_is_served_from_s3(repository, credentials):
    described(repository.path, "s3://models/digits/1/linear.json")
    await repository.refresh()
    assert [entry.reason for entry in repository.index()] == [""]
    assert repository.get("m").model.bias == 7.0


@pytest.mark.parametrize("uri", ["s3://models/nothing", "s3://nowhere/nothing"], ids=["object", "bucket"])
async def test_what_is_not_in_s3_is_one_sentence(repository, credentials, uri):
    described(repository.path, uri)
    await repository.refresh()
    assert repository.index()[0].reason == f"cannot be read: {uri}: there is no such file"
