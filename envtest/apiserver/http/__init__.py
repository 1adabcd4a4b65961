"""Where requests come in: paths, bodies and answers."""

__all__ = ()
