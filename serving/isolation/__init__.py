"""Models in processes of their own: whatever happens to one happens to it alone."""

__all__ = ()
