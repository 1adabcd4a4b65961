"""The body of one answer, readable until it is left; what its connection carries afterwards belongs to others."""

from windlass.informers.http.connection import Connection
from windlass.informers.http.reasons import NoAnswer

__all__ = ("Body",)


class Body:
    """What is still coming of an answer."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    async def read(self, silence_seconds: float) -> bytes:
        """The next bytes, as many as there are; b"" at the end. Raises as a connection does."""
        if self._connection is None:
            raise NoAnswer("the answer is no longer read")
        return await self._connection.read(silence_seconds)

    def leave(self) -> None:
        """Give the connection back after the whole of it, else end it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish()
