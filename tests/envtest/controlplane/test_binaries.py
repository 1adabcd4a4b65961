import asyncio
import hashlib
import os
import stat
import tarfile

import pytest
import yaml
from archives import GOOD, HERE, mirror, tar

from windlass.envtest.controlplane import binaries, find_binaries
from windlass.envtest.controlplane.binaries import Archive, choose, install, installed, parse_index, unpack
from windlass.envtest.errors import EnvtestError, InstallError


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def archives(*versions, platform="linux-amd64"):
    return [Archive(version, platform, f"https://example.com/{version}", "0" * 128) for version in versions]


async def refused(served, into, version=None):
    """What is said when the installation fails; nothing may be left of it."""
    with pytest.raises(InstallError) as caught:
        await install(version, index=served.url, into=into)
    assert not into.exists() or list(into.iterdir()) == []
    return str(caught.value)


class TestIndex:
    def test_its_links_may_be_relative_and_its_checksums_in_capitals(self):
        text = yaml.safe_dump({"releases": {"v1.2.3": {"envtest-v1.2.3-linux-arm64.tar.gz": {
            "hash": "AB" * 64, "selfLink": "files/a.tar.gz"}}}})  # fmt: skip
        (found,) = parse_index(text.encode(), url="https://example.com/x/index.yaml")
        assert found == Archive("v1.2.3", "linux-arm64", "https://example.com/x/files/a.tar.gz", "ab" * 64)
        assert found.folder_name == "envtest-v1.2.3-linux-arm64"

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            (b"<html>", "no index of envtest archives"),
            (b"releases: [", "no index of envtest archives"),
            (b"\xff\xfe\xfa", "no index of envtest archives"),
            (b"releases: {v1.2.3: {a: {hash: x}}}", "selfLink"),
            (b"releases: {v1.2.3: {a.tar.gz: {hash: abc, selfLink: b}}}", "expected the SHA-512 of a.tar.gz"),
        ],
    )
    def test_what_is_none_is_refused_with_its_address(self, text, word):
        with pytest.raises(InstallError, match=word) as caught:
            parse_index(text, url="https://example.com/i")
        assert "https://example.com/i" in str(caught.value)


class TestChoose:
    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            (None, "v1.31.0"),
            ("1.30", "v1.30.10"),
            ("v1.30", "v1.30.10"),
            ("1.30.2", "v1.30.2"),
            ("v1.32.0-beta.0", "v1.32.0-beta.0"),
        ],
    )
    def test_the_newest_that_fits_is_taken(self, asked, found):
        known = archives("v1.30.2", "v1.31.0", "v1.30.10", "v1.32.0-beta.0", "v1.9.9")
        assert choose(known, asked, platform="linux-amd64").version == found

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ("1.29", ["1.29", "v1.30.2", "linux-amd64"]),
            ("1.30.7", ["1.30.7", "v1.30.2"]),
            ("latest", ["'latest'", "1.30.2"]),
            ("../../etc", ["'../../etc'"]),
            ("", ["''"]),
        ],
    )
    def test_an_unknown_version_is_named_with_those_that_are_known(self, asked, words):
        with pytest.raises(InstallError) as caught:
            choose(archives("v1.30.2"), asked, platform="linux-amd64")
        assert all(word in str(caught.value) for word in words)

    def test_an_unknown_platform_is_named_with_those_that_are_known(self):
        with pytest.raises(InstallError, match=r"plan9-mips; the index has: linux-amd64"):
            choose(archives("v1.30.2"), None, platform="plan9-mips")

    def test_an_index_without_releases_has_no_newest(self):
        with pytest.raises(InstallError, match=r"no release.*v1\.32\.0-beta\.0"):
            choose(archives("v1.32.0-beta.0"), None, platform="linux-amd64")


class TestUnpack:
    def test_the_programs_can_be_run_and_the_rest_is_left_out(self, tmp_path):
        (tmp_path / "a.tar.gz").write_bytes(GOOD)
        (tmp_path / "out").mkdir()
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["etcd", "kube-apiserver", "kubectl"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o755}

    @pytest.mark.parametrize(
        ("member", "word"),
        [
            (("../etcd", b""), "outside of it: '../etcd'"),
            (("a/../../../etcd", b""), "outside of it"),
            (("/etc/etcd", b""), "outside of it"),
            ((special("etcd", tarfile.SYMTYPE, "/etc/passwd"), b""), "neither a file nor a folder: 'etcd'"),
            ((special("x/etcd", tarfile.LNKTYPE, "/etc/passwd"), b""), "neither a file nor a folder"),
            ((special("etcd", tarfile.FIFOTYPE), b""), "neither a file nor a folder"),
            (("only/etcd", b"x"), "lacks kube-apiserver"),
        ],
    )
    def test_what_leads_out_of_the_archive_or_lacks_a_program_is_refused(self, tmp_path, member, word):
        (tmp_path / "a.tar.gz").write_bytes(tar(member))
        (tmp_path / "in" / "out").mkdir(parents=True)
        with pytest.raises(InstallError, match=word):
            unpack(tmp_path / "a.tar.gz", tmp_path / "in" / "out")
        assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "in"]

    @pytest.mark.parametrize(
        "body",
        [b"", b"no archive at all", GOOD[: len(GOOD) // 2], GOOD[:40]],
        ids=["empty", "text", "half", "the beginning"],
    )
    def test_what_is_no_archive_or_a_part_of_one_is_one_error(self, tmp_path, body):
        (tmp_path / "a.tar.gz").write_bytes(body)
        (tmp_path / "out").mkdir()
        with pytest.raises(InstallError, match=r"a\.tar\.gz (cannot be unpacked|lacks)"):
            unpack(tmp_path / "a.tar.gz", tmp_path / "out")


@pytest.mark.realtime
async def test_a_version_is_installed_once_and_found_afterwards(tmp_path, monkeypatch):
    monkeypatch.setenv("WINDLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WINDLASS_KUBERNETES_ASSETS", raising=False)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    async with mirror() as served:
        served.add("v1.30.2").add("v1.31.0")
        folder = await install("1.30", index=served.url)
        assert folder == tmp_path / "cache" / f"envtest-v1.30.2-{HERE}"
        assert find_binaries() == folder
        assert await install("1.30.2", index=served.url) == folder
        assert served.asked == ["/index.yaml", f"/envtest-v1.30.2-{HERE}.tar.gz", "/index.yaml"]
        newest = await install(index=served.url)
    assert installed() == [newest, folder]
    assert find_binaries() == newest
    assert find_binaries(controller_manager=True) is None, "the archives have none"
    assert [path.name for path in (tmp_path / "cache").glob(".*")] == []


@pytest.mark.realtime
async def test_two_who_install_at_once_do_not_disturb_each_other(tmp_path):
    async with mirror() as served:
        served.add("v1.30.2")
        first, second = await asyncio.gather(*(install(index=served.url, into=tmp_path / "c") for _ in range(2)))
    assert first == second
    assert os.access(first / "etcd", os.X_OK)
    assert list((tmp_path / "c").iterdir()) == [first]


@pytest.mark.realtime
async def test_a_wrong_checksum_leaves_nothing(tmp_path):
    async with mirror() as served:
        served.add("v1.30.2", sha512="ab" * 64)
        said = await refused(served, tmp_path / "c")
    assert "not what the index says: expected the SHA-512 abababababababab…, found" in said


@pytest.mark.realtime
async def test_a_truncated_archive_leaves_nothing_neither_when_it_ends_early_nor_when_the_connection_does(tmp_path):
    async with mirror() as served:
        served.add("v1.30.2", GOOD[:-20], sha512=hashlib.sha512(GOOD).hexdigest()).add("v1.30.3", link="/cut")
        assert "not what the index says" in await refused(served, tmp_path / "c", "1.30.2")
        assert "/cut cannot be read" in await refused(served, tmp_path / "c", "1.30.3")


@pytest.mark.realtime
async def test_an_evil_archive_with_the_right_checksum_leaves_nothing_inside_and_outside(tmp_path):
    async with mirror() as served:
        served.add("v1.30.2", tar(("etcd", b""), ("kube-apiserver", b""), ("../../../evil", b"")))
        assert "outside of it" in await refused(served, tmp_path / "c")
    assert not (tmp_path / "evil").exists()


@pytest.mark.realtime
async def test_an_unknown_version_asks_for_no_archive(tmp_path):
    async with mirror() as served:
        served.add("v1.30.2")
        assert "no version 1.99" in await refused(served, tmp_path / "c", "1.99")
        assert served.asked == ["/index.yaml"]


@pytest.mark.realtime
async def test_an_index_or_archive_that_cannot_be_had_is_one_error_with_its_address(tmp_path, monkeypatch):
    async with mirror() as served:
        served.add("v1.30.2", link="gone.tar.gz").add("v1.30.3", link="ftp://example.com/a")
        assert "gone.tar.gz answered 404 Not Found, not 200" in await refused(served, tmp_path / "c", "1.30.2")
        assert "begins with http:// or https://" in await refused(served, tmp_path / "c", "1.30.3")
        monkeypatch.setattr(binaries, "_INDEX_BYTES", 10)
        assert "larger than 10 bytes" in await refused(served, tmp_path / "c")
    said = await refused(served, tmp_path / "c")
    assert served.url in said
    assert "cannot be read" in said


@pytest.mark.realtime
async def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").touch()
    async with mirror() as served:
        served.add("v1.30.2")
        with pytest.raises(InstallError, match="file/below cannot be written: Not a directory"):
            await install(index=served.url, into=tmp_path / "file" / "below")


def test_install_errors_are_errors_of_the_surroundings():
    assert issubclass(InstallError, EnvtestError)
