"""A route of our own endpoint, read and written through the API that the endpoint offers for it.

A write carries the tag of what was read, so nothing that somebody did meanwhile is overwritten. No error of the HTTP
library leaves this module.
"""

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import attrs
import msgspec

from windlass.operators.errors import TargetUnreachable
from windlass.operators.promotion.settings import PromotionSettings
from windlass.operators.promotion.targets.contract import Fault, Json, Sight, Written, plan_of
from windlass.operators.promotion.targets.mode import sight_of
from windlass.operators.promotion.targets.routed import ROUTED, parts
from windlass.operators.promotion.types import EndpointTarget, Promotion
from windlass.operators.sockets import session

__all__ = ("Endpoints",)

_REFUSALS = (400, 401, 403, 409)


class Endpoints:
    """The endpoints that the settings allow. Used as `async with Endpoints(settings) as target: …`."""

    def __init__(self, settings: PromotionSettings) -> None:
        self._settings = settings

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._opened = session(self._settings.request_seconds)
        self._session = await self._opened.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, and every socket."""
        await self._opened.__aexit__(kind, error, trace)

    async def look(self, promotion: Promotion) -> Sight | Fault:
        """What is there now."""
        target = _target(promotion)
        if not self._settings.allows(target.url):
            return Fault(
                "UrlNotAllowed", f"target.endpoint.url: {target.url} is not one that the operator's owner allows"
            )
        plan = plan_of(promotion)
        try:
            status, known, _ = await self._request("GET", f"{target.url.rstrip('/')}/v2/traffic")
            if status != 200:
                return Fault("EndpointWithoutRoutes", f"{target.url} does not offer its routes: status {status}", True)
            there = target.route in (known.get("routes") or {})
            status, content, tag = await self._request("GET", _url(target)) if there else (200, {}, "")
            ready = await self._is_ready(target, plan.value) if plan.field == "model" else False
            before = "" if plan.previous is None else plan.previous.release
            lost = bool(before) and not await self._is_ready(target, before)
        except TargetUnreachable as error:
            return Fault("EndpointUnreachable", str(error), retryable=True)
        if status != 200:
            return Fault("EndpointUnreachable", f"{target.url} answered with status {status}", retryable=True)
        found = {
            "metadata": {"uid": _url(target), "generation": _generation(tag), "tag": tag},
            "spec": content.get("route") or {},
            "status": {"weights": content.get("weights") or {}, "ready": ready},
        }
        seen = sight_of(ROUTED, found, plan)
        if lost and isinstance(seen, Sight):
            return attrs.evolve(seen, gone=f"the endpoint does not serve {before} any more")
        return seen

    async def write(self, promotion: Promotion, sight: Sight) -> Written | Fault | None:
        """One conditional request that makes the route what the operation asks for."""
        operation, found, target = promotion.status.operation, sight.found, _target(promotion)
        assert operation is not None  # what is performed is on record
        wanted = ROUTED.changed(found["spec"], plan_of(promotion), operation)
        tag = found["metadata"]["tag"]
        condition = {"If-Match": f'"{tag}"'} if tag else {"If-None-Match": "*"}
        method, body = ("PUT", wanted) if wanted else ("DELETE", None)
        status, content, made = await self._request(method, _url(target), body=body, headers=condition)
        if status in _REFUSALS:
            why = str(content.get("error") or f"status {status}")
            return Fault("WriteRefused", f"{operation.name} was refused: {why[:500]}")
        if status in (404, 412):
            return None
        if status >= 300:
            raise TargetUnreachable(f"{method} {_url(target)}: status {status}")
        return Written(_generation(made))

    async def _is_ready(self, target: EndpointTarget, release: str) -> bool:
        model, version = parts(release)
        of_version = f"/versions/{quote(version, safe='')}" if version else ""
        path = f"/v2/models/{quote(model, safe='')}{of_version}/ready"
        status, _, _ = await self._request("GET", target.url.rstrip("/") + path)
        return status == 200

    async def _request(
        self, method: str, url: str, *, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Json, str]:
        """Status, JSON object and tag. Raises TargetUnreachable when there is no answer."""
        data = None if body is None else msgspec.json.encode(body)
        given = {**(headers or {}), **({"Content-Type": "application/json"} if data else {})}
        try:
            # A redirect could lead to where the owner allows nothing.
            async with self._session.request(method, url, data=data, headers=given, allow_redirects=False) as answer:
                content = await answer.read()
                status, tag = answer.status, answer.headers.get("ETag", "").strip('"')
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise TargetUnreachable(f"{method} {url}: {type(error).__name__}") from error
        try:
            found: Any = msgspec.json.decode(content) if content else {}
        except msgspec.DecodeError:
            found = {}
        return status, found if isinstance(found, dict) else {}, tag


def _generation(tag: str) -> str:
    # Never to be taken for a number, of which each is one more than the last.
    return f"tag {tag}" if tag else "absent"


def _target(promotion: Promotion) -> EndpointTarget:
    target = promotion.spec.target.endpoint
    assert target is not None  # the reconciler has chosen
    return target


def _url(target: EndpointTarget) -> str:
    return f"{target.url.rstrip('/')}/v2/traffic/{quote(target.route, safe='')}"
