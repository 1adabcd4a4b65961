"""How an object becomes another: JSON, merge and strategic patches, and apply with its ownership of fields."""

__all__ = ()
