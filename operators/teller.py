"""Each thing is told once in this process and, by its name, once in the cluster; what was dropped is told again.

This module does not know what there is to tell.
"""

import asyncio
from collections.abc import Callable, Iterable

from windlass.controller.context import Context
from windlass.informers.typed import CustomResource
from windlass.operators.telling import Telling

__all__ = ("Teller",)


class Teller:
    """Records Events about the objects of one controller."""

    def __init__(self) -> None:
        self._told: dict[str, set[str]] = {}  # by the object's uid: the names of what this process has told

    def __repr__(self) -> str:
        return f"<Teller objects={len(self._told)}>"

    def tell(self, ctx: Context, about: CustomResource, things: Iterable[Telling]) -> None:
        """Record those that were not told before. Never waits, never fails."""
        told = self._told.setdefault(about.metadata.uid, set())
        for telling in things:
            if telling.dedupe in told:
                continue
            told.add(telling.dedupe)
            recorded = ctx.event(
                about, type=telling.type, reason=telling.reason, message=telling.message, dedupe=telling.dedupe
            )
            recorded.add_done_callback(_forget_if_lost(told, telling.dedupe))

    def forget(self, uid: str) -> None:
        """Nothing more will be told about this object. Idempotent."""
        self._told.pop(uid, None)


def _forget_if_lost(told: set[str], dedupe: str) -> Callable[["asyncio.Future[bool]"], None]:
    def on_recorded(recorded: "asyncio.Future[bool]") -> None:
        # An Event that was dropped is told again in the object's next run.
        if recorded.cancelled() or not recorded.result():
            told.discard(dedupe)

    return on_recorded
