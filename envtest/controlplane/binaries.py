"""The programs of a version are installed whole and verified, or not at all.

They come from the archives that the controller-runtime project publishes for its envtest, through the index that lists
them with their SHA-512 checksums. An archive holds etcd, kube-apiserver and kubectl, and no controller manager. This
module reads an index and an archive; it starts nothing.
"""

import asyncio
import contextlib
import hashlib
import os
import platform
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

import aiohttp
import attrs
import msgspec
import yaml

from windlass.envtest.errors import InstallError

__all__ = (
    "INDEX_URL",
    "Archive",
    "cache_folder",
    "choose",
    "install",
    "installed",
    "machine_platform",
    "parse_index",
    "unpack",
)

INDEX_URL = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
_WANTED = ("etcd", "kube-apiserver")
_PROGRAMS = (*_WANTED, "kubectl")
_INDEX_BYTES = 16 * 2**20
_ARCHIVE_BYTES = 4 * 2**30
_CHUNK = 2**20
_SILENCE_SECONDS = 30.0
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)")  # not v1.31.0-beta.0
_ASKED = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+)([-+.\w]*))?")


class _Entry(msgspec.Struct):
    hash: str
    link: str = msgspec.field(name="selfLink")


class _Index(msgspec.Struct):
    releases: dict[str, dict[str, _Entry]]


@attrs.frozen
class Archive:
    """What the index says about one archive. `version` is written `v1.30.0`, `sha512` in lower-case hexadecimal."""

    version: str
    platform: str
    url: str
    sha512: str

    @property
    def folder_name(self) -> str:
        """The name of the folder with its programs."""
        return f"envtest-{self.version}-{self.platform}"


def machine_platform() -> str:
    """How the archives for this machine are named: `linux-amd64`, `darwin-arm64` and so on."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{_ARCHITECTURES.get(machine, machine)}"


def cache_folder() -> Path:
    """Where programs are kept between runs: `WINDLASS_CACHE`, or `~/.cache/windlass`."""
    return Path(os.environ.get("WINDLASS_CACHE") or "~/.cache/windlass").expanduser()


def parse_index(text: bytes, *, url: str) -> list[Archive]:
    """Every archive of an index that was read from `url`; links in it may be relative. Raises InstallError."""
    try:
        index = msgspec.convert(yaml.safe_load(text), _Index)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InstallError(f"{url} is no index of envtest archives: {error}") from error
    found = []
    for version, archives in index.releases.items():
        for name, entry in archives.items():
            if re.fullmatch(r"[0-9a-fA-F]{128}", entry.hash) is None:
                raise InstallError(f"{url}: expected the SHA-512 of {name} as 128 hexadecimal digits: {entry.hash!r}")
            where = name.removeprefix(f"envtest-{version}-").removesuffix(".tar.gz")
            found.append(Archive(version, where, urljoin(url, entry.link), entry.hash.lower()))
    return found


def choose(archives: list[Archive], version: str | None, *, platform: str) -> Archive:
    """The archive of a version for a platform.

    `1.30.2` is that one, `1.30` the newest of its patches, None the newest release; one that is no release, such as
    `1.31.0-beta.0`, is chosen only by its full name. A leading `v` may be there. Raises InstallError.
    """
    fitting = {one.version: one for one in archives if one.platform == platform}
    if not fitting:
        known = ", ".join(sorted({one.platform for one in archives})) or "none"
        raise InstallError(f"no archive is for {platform}; the index has: {known}")
    releases = sorted((_numbers(one), one) for one in fitting if _RELEASE.fullmatch(one))
    if version is None:
        if not releases:
            raise InstallError(f"the index has no release for {platform}; it has: {', '.join(sorted(fitting))}")
        return fitting[releases[-1][1]]
    asked = _ASKED.fullmatch(version)
    if asked is None:
        raise InstallError(f"expected a version like 1.30 or 1.30.2, found {version!r}")
    if asked[3] is None:
        matching = [name for numbers, name in releases if numbers[:2] == (int(asked[1]), int(asked[2]))]
        name = matching[-1] if matching else ""
    else:
        name = f"v{version.removeprefix('v')}"
    if name not in fitting:
        offered = ", ".join(name for _, name in releases[-8:])
        raise InstallError(f"no version {version} is there for {platform}; the newest are: {offered or 'none'}")
    return fitting[name]


def unpack(archive: Path, folder: Path) -> None:
    """Put the programs in the archive into `folder`, wherever they are in it. Raises InstallError.

    An archive with anything but files and folders in it, or with a name that leads out of it, is refused whole; files
    that are none of the programs are left out.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _check(member)
                name = PurePosixPath(member.name).name
                source = tar.extractfile(member) if name in _PROGRAMS else None
                if source is not None:
                    with source, (folder / name).open("xb") as target:
                        shutil.copyfileobj(source, target, _CHUNK)
                    (folder / name).chmod(0o755)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InstallError(f"{archive.name} cannot be unpacked: {str(error) or type(error).__name__}") from error
    missing = [name for name in _WANTED if not (folder / name).is_file()]
    if missing:
        raise InstallError(f"{archive.name} lacks {' and '.join(missing)}")


async def install(version: str | None = None, *, index: str = INDEX_URL, into: Path | None = None) -> Path:
    """The folder with the programs of a version (as in `choose`), downloaded unless it is there.

    `into` defaults to `cache_folder()`. The folder appears in it by a rename, when everything in it is verified; two
    who install at once do not disturb each other. Raises InstallError, after which nothing is left of the attempt.
    """
    into = into or cache_folder()
    async with _session() as session:
        raw = b"".join([chunk async for chunk in _body(session, index, limit=_INDEX_BYTES)])
        archive = choose(parse_index(raw, url=index), version, platform=machine_platform())
        folder = into / archive.folder_name
        if not folder.is_dir():
            with _work_folder(into) as work:
                file = work / "archive.tar.gz"
                await _download(session, archive, file)
                programs = work / "programs"
                programs.mkdir()
                await asyncio.to_thread(unpack, file, programs)
                _publish(programs, folder)
    return folder


def installed(into: Path | None = None) -> list[Path]:
    """The folders that `install` has made for this platform, the newest version first."""
    found = []
    for folder in (into or cache_folder()).glob(f"envtest-v*-{machine_platform()}"):
        version = folder.name.removeprefix("envtest-").removesuffix(f"-{machine_platform()}")
        found.append((_numbers(version), _RELEASE.fullmatch(version) is not None, folder))
    return [folder for *_, folder in sorted(found, reverse=True)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _check(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise InstallError(f"the archive has a file that would lie outside of it: {member.name!r}")
    if not (member.isfile() or member.isdir()):
        raise InstallError(f"the archive has something that is neither a file nor a folder: {member.name!r}")


def _session() -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS)
    # A proxy of the environment is used: whoever is behind one has no other way out.
    return aiohttp.ClientSession(timeout=timeout, trust_env=True)


async def _body(session: aiohttp.ClientSession, url: str, *, limit: int) -> AsyncIterator[bytes]:
    """What is at `url`, piece by piece."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise InstallError(f"expected an address that begins with http:// or https://, found {url!r}")
    size = 0
    try:
        async with session.get(url) as response:
            if response.status != 200:
                raise InstallError(f"{url} answered {response.status} {response.reason}, not 200")
            async for chunk in response.content.iter_chunked(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise InstallError(f"{url} is larger than {limit} bytes, which is more than it may be")
                yield chunk
    except TimeoutError as error:
        raise InstallError(f"{url} sent nothing for {_SILENCE_SECONDS:.0f} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise InstallError(f"{url} cannot be read: {str(error) or type(error).__name__}") from error


async def _download(session: aiohttp.ClientSession, archive: Archive, file: Path) -> None:
    digest = hashlib.sha512()
    with file.open("xb") as target:
        async for chunk in _body(session, archive.url, limit=_ARCHIVE_BYTES):
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != archive.sha512:
        raise InstallError(
            f"{archive.url} is not what the index says: expected the SHA-512 {archive.sha512[:16]}…, "
            f"found {digest.hexdigest()[:16]}…; nothing of it was installed"
        )


@contextlib.contextmanager
def _work_folder(into: Path) -> Iterator[Path]:
    """A new folder beside the target, so that a rename is enough; gone at the end."""
    try:
        into.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".envtest-", dir=into))
    except OSError as error:
        raise InstallError(f"{into} cannot be written: {error.strerror}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(programs: Path, folder: Path) -> None:
    try:
        programs.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else somebody was faster
            raise InstallError(f"{folder} cannot be written: {error.strerror}") from error
