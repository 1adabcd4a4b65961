"""Which models there are, and which version of each serves."""

__all__ = ()
