"""Models made of other models of the repository."""

__all__ = ()
