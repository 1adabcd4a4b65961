"""Files of other places: fetched whole or not at all, whatever happens on the way."""

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from flaky_files import FlakyFiles
from seeds import announced_seed

from windlass.serving.errors import ModelError
from windlass.serving.sources.cache import Cache, default_folder
from windlass.serving.sources.remote import FetchFailed

pytestmark = pytest.mark.realtime

CONTENT = bytes(np.random.default_rng(5).integers(0, 256, 3_000_000, dtype=np.uint8))


def digest(content):
    return hashlib.sha256(content).hexdigest()


DIGEST = digest(CONTENT)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(tmp_path, clock):
    return Cache(tmp_path / "cache", clock=clock)


def held(cache):
    return sorted(os.listdir(cache.folder))


def test_a_file_is_fetched_once(cache):
    with FlakyFiles(model=CONTENT) as server:
        path = cache.fetch(f"{server.url}/model", DIGEST.upper())
        asked = len(server.asked)
        assert cache.fetch(f"{server.url}/model", DIGEST) == path
        assert len(server.asked) == asked
    assert path.read_bytes() == CONTENT
    assert held(cache) == [DIGEST]


def test_a_local_file_is_a_file_of_another_place(cache, tmp_path):
    (tmp_path / "model").write_bytes(CONTENT)
    assert cache.fetch((tmp_path / "model").as_uri(), DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize("cut", [0, 1, 700_000, 1_048_576, 2_999_999])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_fetch_that_is_cut_goes_on_later(cache, clock, ranges, cut):
    with FlakyFiles(model=CONTENT) as server:
        server.ranges = ranges
        server.cuts = [cut] * 8  # what the library tries again by itself is cut as well
        with pytest.raises(FetchFailed, match=r"^http://127\.0\.0\.1:\d+/model: "):
            cache.fetch(f"{server.url}/model", DIGEST)
        assert DIGEST not in held(cache)
        server.cuts = []
        clock.now += 100
        assert cache.fetch(f"{server.url}/model", DIGEST).read_bytes() == CONTENT
    assert held(cache) == [DIGEST]


def test_what_is_there_is_not_fetched_again(cache):
    cache.folder.mkdir()
    (cache.folder / f".{DIGEST}.partial").write_bytes(CONTENT[:2_000_000])
    with FlakyFiles(model=CONTENT) as server:
        assert cache.fetch(f"{server.url}/model", DIGEST).read_bytes() == CONTENT
        assert min(server.asked) == 2_000_000


def test_a_part_of_something_else_is_begun_again(cache):
    cache.folder.mkdir()
    (cache.folder / f".{DIGEST}.partial").write_bytes(b"x" * 500_000)
    with FlakyFiles(model=CONTENT) as server:
        assert cache.fetch(f"{server.url}/model", DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_wrong_content_is_refused_and_nothing_is_kept(cache, ranges):
    with FlakyFiles(model=b"other") as server:
        server.ranges = ranges
        with pytest.raises(ModelError, match=rf"/model: its SHA-256 is {digest(b'other')}, expected {DIGEST}"):
            cache.fetch(f"{server.url}/model", DIGEST)
    assert held(cache) == []


@pytest.mark.parametrize(
    ("status", "why"),
    [(404, "there is no such file"), (403, "reading it is not permitted"), (500, "the server answered 500")],
)
def test_a_refusal_is_one_sentence_and_asked_again_ever_more_slowly(cache, clock, status, why):
    uri = "/model?token=secret"
    with FlakyFiles(**{"model?token=secret": CONTENT}) as server:
        for pause in (1, 2, 4):
            server.statuses = [status] * 8
            with pytest.raises(FetchFailed, match=f"{why}$") as caught:
                cache.fetch(f"{server.url}{uri}", DIGEST)
            assert "secret" not in str(caught.value)
            server.statuses = []
            clock.now += pause - 0.5
            with pytest.raises(FetchFailed, match=f"{why}$"):
                cache.fetch(f"{server.url}{uri}", DIGEST)
            clock.now += 0.6
        assert cache.fetch(f"{server.url}{uri}", DIGEST).read_bytes() == CONTENT


def test_nobody_there_is_a_sentence_too(cache):
    with FlakyFiles() as server:
        url = server.url
    with pytest.raises(FetchFailed, match=r"^http://127.*/model: Connection refused$"):
        cache.fetch(f"{url}/model", DIGEST)


@pytest.mark.parametrize("uri", ["nonsense://x/y", "s3+no://x"])
def test_a_url_that_nothing_can_read_is_named(cache, uri):
    with pytest.raises(ModelError, match=uri.partition(":")[0].replace("+", r"\+")):
        cache.fetch(uri, DIGEST)


def test_the_least_recently_used_makes_room(tmp_path):
    files = {name: name.encode() * 100 for name in "abc"}
    cache = Cache(tmp_path, bytes_max=250)
    with FlakyFiles(**files) as server:
        for age, name in ((300, "a"), (200, "b")):
            path = cache.fetch(f"{server.url}/{name}", digest(files[name]))
            os.utime(path, (path.stat().st_mtime - age,) * 2)
        cache.fetch(f"{server.url}/a", digest(files["a"]))  # used: now b is older
        cache.fetch(f"{server.url}/c", digest(files["c"]))
    assert held(cache) == sorted(digest(files[name]) for name in "ac")


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_what_is_larger_than_the_cache_is_refused(tmp_path, ranges):
    cache = Cache(tmp_path, bytes_max=1_500_000)
    with FlakyFiles(model=CONTENT) as server:
        server.ranges = ranges
        with pytest.raises(ModelError, match=r"/model: it is larger than the cache may be \(1500000 bytes\)"):
            cache.fetch(f"{server.url}/model", DIGEST)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1_500_000


def test_threads_fetch_it_once(cache):
    with FlakyFiles(model=CONTENT) as server:
        paths = []
        fetch = lambda: paths.append(cache.fetch(f"{server.url}/model", DIGEST))  # noqa: E731
        threads = [threading.Thread(target=fetch) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(paths)) == 1
        assert server.asked.count(0) == 1


FETCH = """
import sys
from pathlib import Path
from windlass.serving.sources.cache import Cache
print("ready", flush=True)
sys.stdin.readline()
Cache(Path(sys.argv[1])).fetch(sys.argv[2], sys.argv[3])
"""


def test_processes_that_share_the_folder_fetch_it_once(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with FlakyFiles(model=CONTENT) as server:
        arguments = [sys.executable, "-c", FETCH, str(tmp_path), f"{server.url}/model", DIGEST]
        with subprocess.Popen(arguments, **pipes) as one, subprocess.Popen(arguments, **pipes) as other:
            for process in (one, other):
                assert process.stdout.readline() == "ready\n"
            for process in (one, other):
                process.stdin.write("\n")
                process.stdin.flush()
        assert (one.returncode, other.returncode) == (0, 0)
        assert server.asked.count(0) == 1
    assert os.listdir(tmp_path) == [DIGEST]


def test_any_order_of_cuts_and_lies_ends_with_the_right_file_or_none(tmp_path):
    """Twenty fetches, each disturbed at random: what is in the cache under the digest always has it."""
    random = np.random.default_rng(announced_seed())
    clock = Clock()
    cache = Cache(tmp_path, clock=clock)
    good = 0
    with FlakyFiles(model=CONTENT) as server:
        for _ in range(20):
            server.ranges = bool(random.integers(2))
            server.cuts = random.integers(0, 1_200_000, random.integers(0, 4)).tolist()
            server.files["/model"] = CONTENT if random.integers(4) else CONTENT[:-1] + b"?"
            try:
                path = cache.fetch(f"{server.url}/model", DIGEST)
            except (FetchFailed, ModelError):
                clock.now += 100
            else:
                assert path.read_bytes() == CONTENT
                good += 1
                path.unlink()
            assert set(os.listdir(tmp_path)) <= {DIGEST, f".{DIGEST}.partial"}
        server.files["/model"], server.cuts = CONTENT, []
        clock.now += 100
        assert cache.fetch(f"{server.url}/model", DIGEST).read_bytes() == CONTENT
    assert good


def test_the_cache_lies_where_caches_lie(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "windlass" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder().parts[-3:] == (".cache", "windlass", "models")

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", homeless)
    assert default_folder().parts[-2:] == (f"windlass-{os.getuid()}", "models")
