"""The contenders that come with Windlass, each a program of its own that prints one line of JSON at its end."""

__all__ = ()
