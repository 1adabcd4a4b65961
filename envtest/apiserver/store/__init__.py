"""What is kept: one counter over all writes, in memory and in a file, and the history that watches resume from."""

__all__ = ()
