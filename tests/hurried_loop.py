"""A loop whose clock runs faster than the wall's: minutes pass in seconds, and the sockets are real all the same."""

import asyncio
import selectors

__all__ = ("HurriedLoop",)


class _Selector(selectors.DefaultSelector):
    def __init__(self, speed):
        super().__init__()
        self._speed = speed

    def select(self, timeout=None):
        return super().select(timeout if timeout is None else timeout / self._speed)


class HurriedLoop(asyncio.SelectorEventLoop):
    """`speed` of its seconds are one of ours. Limits that a test sets in its seconds shrink with them."""

    def __init__(self, speed):
        self._speed = speed
        super().__init__(_Selector(speed))

    def time(self):
        return super().time() * self._speed
