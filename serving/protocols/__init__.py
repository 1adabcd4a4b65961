"""The protocols: each turns bytes into named arrays and back, over a model's description, without knowing HTTP."""

__all__ = ()
