"""A web page of another origin may read answers only if its origin is listed, character by character.

Without a list, which is the default, no answer carries a word of CORS. Credentials that a browser would add by itself
are never allowed; a page that has a token sends it in `Authorization`.
"""

import re
from collections.abc import Mapping

import attrs

from windlass.serving.batching.ask import PRIORITY_HEADER, TIMEOUT_HEADER

__all__ = ("Cors",)

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": ", ".join(
        (
            "Authorization",
            "Content-Type",
            "Inference-Header-Content-Length",
            "Traceparent",
            TIMEOUT_HEADER,
            PRIORITY_HEADER,
        )
    ),
    "Access-Control-Max-Age": "600",
}


@attrs.frozen
class Cors:
    """The origins that may. Raises ValueError for what is none, `*` among them: it would be everybody."""

    origins: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"cors_origins: expected origins as browsers send them (https://app.example.com), found {origin!r}"
                )

    def headers(self, asked: Mapping[str, str]) -> Mapping[str, str]:
        """What to add to the answer of a request with these headers."""
        origin = asked.get("Origin")
        if origin is None or origin not in self.origins:
            # Caches must know that another origin would have got another answer.
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Inference-Header-Content-Length, Retry-After, Traceparent",
        }

    def preflight(self, method: str, asked: Mapping[str, str]) -> Mapping[str, str] | None:
        """The answer to a browser that asks first; None when that is not what the request is."""
        if method != "OPTIONS" or "Origin" not in asked or "Access-Control-Request-Method" not in asked:
            return None
        headers = self.headers(asked)
        return {**headers, **_PREFLIGHT} if len(headers) > 1 else headers
