"""A list is a snapshot at one revision, and its pages stay in that snapshot however much is written meanwhile.

The snapshot is never copied: a page is the present with the newer history undone (`watchcache.rewind`), so a token
lives exactly as long as the history does (L-01 … L-06). Waiting for a version of the near future is the HTTP side's
affair.
"""

import base64
import itertools
from collections.abc import Iterator

import attrs
import msgspec

from windlass.envtest.apiserver.errors import ApiError, bad_request, expired
from windlass.envtest.apiserver.queries import ListQuery, parse_version, selector
from windlass.envtest.apiserver.store.storage import Store, Stored
from windlass.envtest.apiserver.store.watchcache import WatchCache, rewind
from windlass.envtest.apiserver.values import decode, encode
from windlass.envtest.apiserver.verbs.targets import Target

__all__ = ("Page", "decode_token", "encode_token", "list_page")

INCONSISTENT = -1  # the revision in a token that promises no snapshot (L-03)
TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@attrs.frozen
class Page:
    """One page; `remaining` is None where it is not known (with selectors) or nothing remains."""

    items: list[Stored]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


def encode_token(revision: int, after: str) -> str:
    """A continue token: list on behind the place `namespace/name` at a revision."""
    body = {"v": "meta.k8s.io/v1", "rv": revision, "start": f"{after}\0"}
    return base64.urlsafe_b64encode(encode(body)).decode().rstrip("=")


def decode_token(token: str) -> tuple[int, str]:
    """Revision and place of a token; raises 400 (L-04)."""
    try:
        body = decode(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        revision, start = body["rv"], body["start"]
        place = start.removesuffix("\0")
    except (ValueError, TypeError, KeyError, AttributeError, msgspec.DecodeError) as error:
        raise bad_request(f"continue key is not valid: {error}") from None
    if body.get("v") != "meta.k8s.io/v1" or not isinstance(revision, int) or isinstance(revision, bool):
        raise bad_request("continue key is not valid: incorrect encoded version or revision")
    if place.startswith(".") or "/." in place:
        raise bad_request(f"continue key is not valid: {start}")
    return revision, place


def list_page(store: Store, cache: WatchCache, target: Target, query: ListQuery) -> Page:
    """One page of a list; raises 400 and 410."""
    revision, after = store.revision, None
    if query.continue_token:
        if query.version and query.version != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        asked, after = decode_token(query.continue_token)
        revision = store.revision if asked == INCONSISTENT else asked
    elif query.match == "Exact" or (query.limit and not query.match and query.version not in ("", "0")):
        revision = parse_version(query.version)
    snapshot = iter(store.items(target.resource.place, target.namespace, after=after))
    if revision != store.revision:
        snapshot = _past(store, cache, target, revision, after=after)
    selects = selector(query, "", target.name)
    chosen = (stored for stored in snapshot if selects(stored)) if query.selective or target.name else snapshot
    if not query.limit:
        return Page(list(chosen), revision)
    items = list(itertools.islice(chosen, query.limit))
    if next(chosen, None) is None:
        return Page(items, revision)
    remaining = None if query.selective else 1 + sum(1 for _ in chosen)
    return Page(items, revision, encode_token(revision, items[-1].key.place), remaining)


def _past(store: Store, cache: WatchCache, target: Target, revision: int, *, after: str | None) -> Iterator[Stored]:
    try:
        newer = cache.since(target.resource.place, revision)
    except ApiError:
        if after is None:
            raise
        raise expired(TOO_OLD, continue_token=encode_token(INCONSISTENT, after)) from None
    relevant = [
        change
        for change in newer
        if (not target.namespace or change.current.key.namespace == target.namespace)
        and (after is None or change.current.key.place > after)
    ]
    return rewind(store.items(target.resource.place, target.namespace, after=after), relevant)
