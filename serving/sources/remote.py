"""Whatever goes wrong on the way to a remote file becomes one sentence that names it, never a library's error.

Any URL that fsspec knows: `file://`, `http(s)://`, `s3://` and others whose libraries are installed. Credentials and
endpoints are those that fsspec finds in its own configuration and the environment; they do not belong into a model's
description. The library is imported with the first such file (extra `models`).
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from windlass.serving.errors import ModelError
from windlass.serving.sources.reasons import reason_of

__all__ = ("FetchFailed", "chunks", "shown", "size_of")

_CHUNK_BYTES = 1 << 20


class FetchFailed(OSError):
    """The file could not be read to its end; trying again later may help."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.strerror = why


def shown(uri: str) -> str:
    """The URI for a message: without what a query or a user's part may hold in secret."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def size_of(uri: str) -> int | None:
    """Bytes, None where nobody says. Raises FetchFailed, or ModelError for a URL that nothing can read."""
    filesystem, path = _found(uri)
    try:
        size = filesystem.info(path).get("size")
    except Exception as error:
        raise _failed(uri, error) from error
    return int(size) if size is not None else None


def chunks(uri: str, start: int) -> Iterator[bytes]:
    """The content from this byte on. Raises FetchFailed when it breaks off, ValueError where it has to start at 0."""
    filesystem, path = _found(uri)
    try:
        # A stream, where there is one: not every server can be asked for a part. From the middle, parts without
        # read-ahead.
        streams = start == 0 and urlsplit(uri).scheme in ("http", "https")
        with filesystem.open(path, "rb", **({"block_size": 0} if streams else {"cache_type": "none"})) as file:
            if start:
                if not file.seekable():
                    raise ValueError("it cannot be read from the middle")
                file.seek(start)
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except ValueError:
        raise
    except Exception as error:
        raise _failed(uri, error) from error


def _found(uri: str) -> tuple[Any, str]:
    try:
        import fsspec  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError as error:
        raise ModelError(
            "models of other places need a library that is missing: pip install 'windlass[models]'"
        ) from error
    scheme = urlsplit(uri).scheme
    try:
        options: dict[str, object] = {"skip_instance_cache": True} if scheme in ("http", "https") else {}
        filesystem, path = fsspec.core.url_to_fs(uri, use_listings_cache=False, **options)
    except (ImportError, ValueError) as error:
        raise ModelError(f"{shown(uri)}: {error}") from error
    return filesystem, path


def _failed(uri: str, error: Exception) -> FetchFailed:
    return FetchFailed(f"{shown(uri)}: {_why(error)}")


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        # fsspec tells of a server that does not answer, or refuses to, as of a file that is not there.
        return _of_exchange(error.__cause__) or "there is no such file"
    if isinstance(error, PermissionError):
        return "reading it is not permitted"
    # What is left is of a store's own library, which knows more than we do.
    return _of_exchange(error) or " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _of_exchange(error: BaseException | None) -> str:
    """What became of a request, "" where that is not the question."""
    if error is None:
        return ""
    reason = reason_of(error)
    status = getattr(error, "status", None)
    if reason or status is None:
        return reason
    if status == 404:
        return "there is no such file"
    return "reading it is not permitted" if status in (401, 403) else f"the server answered {status}"
