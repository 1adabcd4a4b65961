"""The `windlass` program: one command a file, each a thin composition of the rooms below."""

__all__ = ()
