"""The checks that come with Windlass, one module each; the registry finds them by name, as it finds others' checks."""

__all__ = ()
