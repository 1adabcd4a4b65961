"""The HTTP room: a request is read, handed to the rooms that decide, and answered; nothing is decided here.

`Handlers.handle` is one aiohttp handler for every path, because the set of paths changes while the server runs.
Middlewares of aiohttp may be put around it (the seam for fault injection). Writes run to their end without an await
(`decisions` asks webhooks between two runs of one), so a client that goes away cannot cut one in half.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

import attrs
from aiohttp import web

from windlass.envtest.apiserver.access.accounts import Accounts
from windlass.envtest.apiserver.access.gate import Gate, Knock
from windlass.envtest.apiserver.access.reviews import Question, review
from windlass.envtest.apiserver.decisions import Call, Enquiry, Reply
from windlass.envtest.apiserver.errors import (
    ApiError,
    bad_request,
    internal_error,
    method_not_allowed,
    too_large_version,
    unsupported_media_type,
)
from windlass.envtest.apiserver.http.naming import check_host
from windlass.envtest.apiserver.http.reading import (
    delete_options,
    is_dry_run,
    optional_body,
    parsed,
    read_body,
    write_options,
)
from windlass.envtest.apiserver.http.routing import find_target, missing_path
from windlass.envtest.apiserver.identity import User
from windlass.envtest.apiserver.queries import ListQuery, flag, parse_query, parse_version, selector
from windlass.envtest.apiserver.store.storage import Stored
from windlass.envtest.apiserver.store.watchcache import WatchCache
from windlass.envtest.apiserver.values import Json, copied, encode
from windlass.envtest.apiserver.verbs import scaling
from windlass.envtest.apiserver.verbs.binding import bind
from windlass.envtest.apiserver.verbs.bodies import checked_body
from windlass.envtest.apiserver.verbs.listing import list_page
from windlass.envtest.apiserver.verbs.operations import Operations
from windlass.envtest.apiserver.verbs.patching import apply_patch, patch_types
from windlass.envtest.apiserver.verbs.targets import DeleteOptions, Target, WriteOptions
from windlass.envtest.apiserver.verbs.watching import Watch, WatchTimes, error_line, length_of, stream
from windlass.envtest.apiserver.views import discovery, openapi, openapi_v2
from windlass.envtest.apiserver.views.groupdiscovery import aggregated_media_type, group_discovery
from windlass.envtest.apiserver.views.rendering import Renderer, accepted
from windlass.envtest.apiserver.views.versions import viewed

__all__ = ("BODY_MAX", "Handlers", "Surroundings")

BODY_MAX = 3 * 1024 * 1024  # bytes (E-14)
GZIP_MIN = 128 * 1024  # bytes (L-09)
FUTURE_WAIT_SECONDS = 3.0  # L-06

ENQUIRY = web.RequestKey("enquiry", Enquiry)  # the place in a request

logger = logging.getLogger(__name__)
T = TypeVar("T")

Act = Callable[[web.Request, Target], Awaitable[web.StreamResponse]]


@attrs.frozen
class Surroundings:
    """What the handlers need from outside: who gets in, the tokens of accounts, times, clock and chance."""

    gate: Gate
    accounts: Accounts
    times: WatchTimes
    clock: Callable[[], datetime]
    rng: random.Random
    call: Callable[[Call], Awaitable[Reply]]  # asks webhooks
    listening: str  # the host that the server was told to listen on


class Handlers:
    """Answers requests from the operations and the watch cache."""

    def __init__(self, operations: Operations, cache: WatchCache, surroundings: Surroundings) -> None:
        self._operations = operations
        self._store = operations.store
        self._registry = operations.registry
        self._cache = cache
        self._around = surroundings
        self._closing = False

    def __repr__(self) -> str:
        return f"<Handlers{' closing' if self._closing else ''}>"

    def close(self) -> None:
        """End every open watch; new ones end at once."""
        self._closing = True
        for resource in {resource.place for resource in self._registry}:
            self._cache.end_watches(resource)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; every refusal becomes a Status document here."""
        enquiry = request[ENQUIRY] = Enquiry(self._around.call)
        response = await self._answered(request)
        for text in enquiry.warnings if not response.prepared else ():
            response.headers.add("Warning", _warning(text))
        return response

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        try:
            check_host(request.headers.get("Host", self._around.listening), self._around.listening)
            knock = Knock(request.method, request.path, request.query, request.headers)
            user = self._around.gate.admit(knock)
            request[ENQUIRY].user = user.info()
            return await self._dispatch(request, user)
        except ApiError as error:
            return _refusal(error)
        except web.HTTPRequestEntityTooLarge:
            return _refusal(ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_MAX}"))
        except (RecursionError, UnicodeError) as error:
            return _refusal(bad_request(f"the request cannot be read: {error}"))
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.path)
            return _refusal(internal_error(f"{type(error).__name__}: {error}"))

    async def _dispatch(self, request: web.Request, user: User) -> web.StreamResponse:
        path = request.path
        document = self._document(request, path.rstrip("/") or "/")
        if document is not None:
            if request.method not in ("GET", "HEAD"):
                raise method_not_allowed()
            return document
        target = find_target(path, self._registry)
        act = self._action(request, target, user)
        if act is None:
            raise method_not_allowed()
        response = await act(request, target)
        if target.resource.warning and not response.prepared:
            response.headers.add("Warning", _warning(target.resource.warning))
        return response

    def _action(self, request: web.Request, target: Target, user: User) -> Act | None:
        if target.resource.review:
            return partial(self._review, user) if request.method == "POST" and not target.name else None
        if target.subresource == "token":
            return self._token if request.method == "POST" else None
        named: dict[str, Act] = {
            "GET": self._get,
            "PUT": partial(self._put, user),
            "PATCH": partial(self._patch, user),
        }
        if target.subresource == "binding":
            return self._bind if request.method == "POST" else None
        if target.name:
            if not target.subresource:
                named["DELETE"] = self._delete
            return named.get(request.method)
        unnamed: dict[str, Act] = {"GET": self._list, "DELETE": self._delete_collection}
        if target.namespace or not target.resource.namespaced:
            unnamed["POST"] = partial(self._post, user)
        if target.resource.custom and request.method in ("PUT", "PATCH"):  # only core paths know their verbs (E-11)
            raise bad_request("name must be provided")
        return unnamed.get(request.method)

    def _document(self, request: web.Request, path: str) -> web.Response | None:
        """Everything that is not an object: health, version, discovery, OpenAPI."""
        if path in ("/healthz", "/livez", "/readyz"):
            told = f"[+]ping ok\n{path[1:]} check passed\n" if "verbose" in request.query else "ok"
            return web.Response(text=told)
        if path == "/version":
            return _json(discovery.version_info())
        parts = path.strip("/").split("/")
        found: Json | None = None
        media_type = aggregated_media_type(request.headers.get("Accept", ""))
        match parts:
            case ["api" | "apis" as root] if media_type:
                body = encode(group_discovery(self._registry, media_type, core=root == "api"))
                return web.Response(body=body, headers={"Content-Type": media_type})
            case ["api"]:
                found = discovery.api_versions(request.host)
            case ["apis"]:
                found = discovery.group_list(self._registry)
            case ["api", version]:
                found = discovery.resource_list(self._registry, "", version)
            case ["apis", group]:
                found = discovery.group(self._registry, group)
            case ["apis", group, version]:
                found = discovery.resource_list(self._registry, group, version)
            case ["openapi", *rest]:
                return self._openapi(request, rest)
            case _:
                return None
        if found is None:
            raise missing_path()
        return _json(found)

    def _openapi(self, request: web.Request, rest: list[str]) -> web.Response:
        found: Json | None = None
        match rest:
            case ["v2"]:
                # Clients ask for `v2@v1.0`; an answer under that name breaks Go's own media type parser.
                if openapi_v2.PROTOBUF_V2 in request.headers.get("Accept", "").replace("@", "."):
                    raw = openapi_v2.protobuf_v2(self._registry)
                    return web.Response(body=raw, headers={"Content-Type": openapi_v2.PROTOBUF_V2})
                found = openapi_v2.swagger_v2(self._registry)
            case ["v3"]:
                found = openapi.paths_v3(self._registry, self._store.revision)
            case ["v3", "api", version]:
                found = openapi.group_version_v3(self._registry, "", version)
            case ["v3", "apis", group, version]:
                found = openapi.group_version_v3(self._registry, group, version)
        if found is None:
            raise missing_path()
        return _json(found)

    def _renderer(self, request: web.Request, target: Target) -> Renderer:
        representation = accepted(request.headers.get("Accept", ""), request.query.get("includeObject", ""))
        return Renderer(target.resource, representation, self._around.clock)

    async def _get(self, request: web.Request, target: Target) -> web.StreamResponse:
        renderer = self._renderer(request, target)
        if flag(request.query, "watch") and not target.subresource:
            return await self._watch(request, target)
        await self._reached(parse_version(request.query.get("resourceVersion", "")))
        if target.subresource == "scale":
            return await _decided(request, lambda: _raw(encode(scaling.get_scale(self._operations, target))))
        return await _decided(request, lambda: _raw(renderer.one(self._operations.stored(target))))

    async def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = parse_query(request.query, target.resource)
        if query.watch:
            return await self._watch(request, target)
        renderer = self._renderer(request, target)
        await self._reached(parse_version(query.version))
        page = list_page(self._store, self._cache, target, query)
        metadata: Json = {"resourceVersion": str(page.revision)}
        if page.continue_token:
            metadata["continue"] = page.continue_token
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
        response = await _decided(request, lambda: _raw(renderer.many(page.items, metadata)))
        if "gzip" in request.headers.get("Accept-Encoding", "") and (response.content_length or 0) > GZIP_MIN:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _reached(self, version: int) -> None:
        """Wait a little for a version of the near future, then refuse it (L-06)."""
        if version <= self._store.revision:
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + FUTURE_WAIT_SECONDS
        while loop.time() < end and not self._closing:
            await asyncio.sleep(0.05)
            if version <= self._store.revision:
                return
        raise too_large_version(version, self._store.revision)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = parse_query(request.query, target.resource)
        await self._reached(parse_version(query.version))
        wake = asyncio.Event()
        subscription = self._cache.subscribe(target.resource.place, wake.set, lambda: _abort(request))
        if self._closing:
            subscription.end()
        try:
            renderer = self._renderer(request, target)
            watch = Watch(self._store, self._cache, target, query, renderer=renderer, enquiry=request[ENQUIRY])
            try:
                first, failed = await watch.started(), False
            except ApiError as error:
                first, failed = error_line(error), True
            response = web.StreamResponse(
                headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
            )
            response.enable_chunked_encoding()
            await response.prepare(request)
            if first:
                await response.write(first)
            if not failed:
                length = length_of(query, self._around.times, self._around.rng.uniform)
                await stream(response, watch, subscription, wake, times=(length, self._around.times))
            await response.write_eof()
        except ConnectionError:
            logger.debug("the client of %s has gone", request.path_qs)
        finally:
            self._cache.unsubscribe(target.resource.place, subscription)
        return response

    async def _post(self, user: User, request: web.Request, target: Target) -> web.StreamResponse:
        options = write_options(request, user)
        body = await read_body(request, options)
        renderer = self._renderer(request, target)
        stored = await _decided(request, lambda: self._operations.create(target, copied(body), options))
        return await _decided(request, lambda: _written(renderer, stored, options, code=201))

    async def _bind(self, request: web.Request, target: Target) -> web.StreamResponse:
        dry_run = is_dry_run(request.query.getall("dryRun", []))
        return _json(bind(self._operations, target, await read_body(request), dry_run=dry_run), 201)

    async def _review(self, user: User, request: web.Request, target: Target) -> web.StreamResponse:
        body = await read_body(request)
        checked_body(body, target)
        question = Question(target.resource, body, user, target.namespace)
        return _json(review(question, self._around.gate), 201)

    async def _token(self, request: web.Request, target: Target) -> web.StreamResponse:
        body = await read_body(request)
        return _json(self._around.accounts.request(target.namespace, target.name, body), 201)

    async def _put(self, user: User, request: web.Request, target: Target) -> web.StreamResponse:
        options = write_options(request, user)
        body = await read_body(request, options)
        if target.subresource == "scale":
            scaled = await _decided(request, lambda: scaling.put_scale(self._operations, target, body, options))
            return await _decided(request, lambda: _scaled(target, scaled))
        renderer = self._renderer(request, target)
        stored, created = await _decided(request, lambda: self._operations.update(target, copied(body), options))
        return await _decided(request, lambda: _written(renderer, stored, options, code=201 if created else 200))

    async def _patch(self, user: User, request: web.Request, target: Target) -> web.StreamResponse:
        supported = patch_types(target.resource)
        if request.content_type not in supported:
            raise unsupported_media_type(supported)
        options, raw = write_options(request, user), await request.read()
        patch = parsed(raw, "application/yaml" if "yaml" in request.content_type else "application/json")
        kind, operations, renderer = request.content_type, self._operations, self._renderer(request, target)
        if target.subresource == "scale":
            scaled = await _decided(request, lambda: scaling.patch_scale(operations, target, patch, (kind, options)))
            return await _decided(request, lambda: _scaled(target, scaled))
        stored, created = await _decided(
            request, lambda: apply_patch(operations, target, copied(patch), kind, options=options)
        )
        return await _decided(request, lambda: _written(renderer, stored, options, code=201 if created else 200))

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = delete_options(request, await optional_body(request))
        stored, gone = await _decided(request, lambda: self._operations.delete(target, options))
        if not gone:
            renderer = self._renderer(request, target)
            return await _decided(request, lambda: _raw(renderer.one(stored)))
        resource = target.resource
        details: Json = {"name": target.name, "kind": resource.plural, "uid": stored.metadata["uid"]}
        if resource.group:
            details["group"] = resource.group
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return _json(status)

    async def _delete_collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = delete_options(request, await optional_body(request))
        query = parse_query(request.query, target.resource)
        renderer = self._renderer(request, target)
        deleted = await self._delete_selected(request, target, query, options=attrs.evolve(options, name=""))
        metadata = {"resourceVersion": str(self._store.revision)}
        return await _decided(request, lambda: _raw(renderer.many(deleted, metadata)))

    async def _delete_selected(
        self, request: web.Request, target: Target, query: ListQuery, *, options: DeleteOptions
    ) -> list[Stored]:
        """D-08; what somebody else deletes while a webhook is asked is left out."""
        selects, deleted = selector(query, target.namespace), []
        for stored in self._store.items(target.resource.place, target.namespace):
            if selects(stored) and self._store.get(stored.key) is not None:
                one = attrs.evolve(target, namespace=stored.key.namespace, name=stored.key.name)
                deleted.append((await _decided(request, partial(self._operations.delete, one, options)))[0])
        return deleted


async def _decided(request: web.Request, decide: Callable[[], T]) -> T:
    enquiry: Enquiry = request[ENQUIRY]
    return await enquiry.decided(decide)


def _scaled(target: Target, stored: Stored) -> web.Response:
    if target.resource.scale is None:
        raise missing_path()
    return _json(scaling.scale_of(viewed(stored, target.resource).obj, target.resource.scale))


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _raw(body: bytes, code: int = 200) -> web.Response:
    return web.Response(body=body, status=code, content_type="application/json", zlib_executor_size=GZIP_MIN)


def _json(document: Json, code: int = 200) -> web.Response:
    return _raw(encode(document), code)


def _refusal(error: ApiError) -> web.Response:
    if error.plain:
        return web.Response(text=error.message + "\n", status=error.code)
    response = _json(error.status(), error.code)
    retry = error.details.get("retryAfterSeconds")
    if retry is not None:
        response.headers["Retry-After"] = str(retry)
    return response


def _warning(text: str) -> str:
    cleaned = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{cleaned}"'


def _written(renderer: Renderer, stored: Stored, options: WriteOptions, *, code: int = 200) -> web.Response:
    response = _raw(renderer.one(stored), code)
    for warning in dict.fromkeys(options.warnings):
        response.headers.add("Warning", _warning(warning))
    return response
