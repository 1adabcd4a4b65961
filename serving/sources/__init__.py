"""Model files that lie elsewhere, and their copies here."""

__all__ = ()
