"""What an operator's owner decides, and no custom resource can: whether a gate is needed, and which URLs are asked."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import unquote

import attrs

__all__ = ("PromotionSettings",)


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class PromotionSettings:
    """How promotions are carried out.

    A target that is being changed is looked at each `look_seconds`. Without `gate_required`, a promotion needs no
    verdict of a gate. `urls` are prefixes: endpoints and metrics at any other URL are not asked, because a custom
    resource must not make the controller send requests anywhere; none is allowed unless named. `request_seconds` is the
    longest that one such request may take. `workers` promotions are looked at concurrently.
    """

    look_seconds: float = 5.0
    gate_required: bool = True
    urls: tuple[str, ...] = ()
    request_seconds: float = 10.0
    workers: int = 4
    clock: Callable[[], datetime] = _now

    def allows(self, url: str) -> bool:
        """Whether requests may be sent to `url`."""
        # `..`, written out or as %2e%2e, leads out of a folder again.
        return ".." not in unquote(url.partition("?")[0]).split("/") and any(
            _begins(url, prefix) for prefix in self.urls
        )


def _begins(url: str, prefix: str) -> bool:
    # `http://metrics` must not let `http://metrics.evil.example` pass, nor `http://metrics@evil.example`.
    rest = url[len(prefix) :] if url.startswith(prefix) else None
    return rest is not None and (prefix.endswith("/") or rest == "" or rest[0] in "/?")
