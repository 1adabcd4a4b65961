"""The page is one file that refers to no other, and may load, run and reach nothing but itself and the endpoint.

It has no rights of its own: what it shows and sends, anybody who may ask the endpoint can see and send. It asks for
its state again and again, and computes the latencies of the last minute from the buckets of the endpoint's metrics.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from importlib.resources import files

import attrs
from aiohttp import web

from windlass.serving.http.middleware import answer
from windlass.serving.metrics import DURATION_BUCKETS, Metrics
from windlass.serving.model import LoadedModel
from windlass.serving.repository.repository import ModelRepository

__all__ = ("CONTENT_SECURITY_POLICY", "HTML", "Page", "latencies")

HTML = files("windlass.serving.page").joinpath("page.html").read_text(encoding="utf-8")


def _hashes(tag: str) -> str:
    """The contents of these elements as sources of a policy: what is not in the file does not run."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", HTML, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {_hashes('script')}",
        f"style-src {_hashes('style')}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_BODY = HTML.encode()
_SAMPLE = "windlass_serving_request_duration_seconds_bucket"


@attrs.frozen(eq=False)
class Page:
    """The handlers. `not_ready_because` gives the reason why the server is not ready, or None."""

    repository: ModelRepository
    metrics: Metrics
    not_ready_because: Callable[[], str | None]

    def table(self) -> list[web.RouteDef]:
        """All routes, for `Application.add_routes`."""
        return [web.get("/page", self.page), web.get("/page/state", self.state)]

    async def page(self, _: web.Request) -> web.Response:
        """The file."""
        return web.Response(body=_BODY, headers=_HEADERS)

    async def state(self, _: web.Request) -> web.Response:
        """What the page shows: the models that serve, with their latencies, and the versions that do not."""
        reason = self.not_ready_because()
        counts = latencies(self.metrics)
        none = [0] * (len(DURATION_BUCKETS) + 1)
        content = {
            "ready": reason is None,
            "reason": reason or "",
            "bounds": DURATION_BUCKETS,
            "models": [_model(one, counts.get(one.name, none)) for one in self.repository.models()],
            "others": [attrs.asdict(entry) for entry in self.repository.index() if entry.state != "READY"],
        }
        return answer(content)


def latencies(metrics: Metrics) -> dict[str, list[int]]:
    """For each model, how many requests took up to each of `DURATION_BUCKETS`, and how many there were."""
    found: dict[str, dict[float, int]] = {}
    for family in metrics.registry.restricted_registry([_SAMPLE]).collect():
        for sample in family.samples:
            counts = found.setdefault(sample.labels["model"], {})
            bound = float(sample.labels["le"])
            counts[bound] = counts.get(bound, 0) + int(sample.value)
    return {model: [counts[bound] for bound in sorted(counts)] for model, counts in found.items()}


def _model(model: LoadedModel, counts: list[int]) -> dict[str, object]:
    return {
        "name": model.name,
        "version": model.version,
        "platform": model.platform,
        "inputs": [spec.to_dict() for spec in model.inputs],
        "outputs": [spec.to_dict() for spec in model.outputs],
        "counts": counts,
    }
