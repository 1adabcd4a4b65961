"""What custom kinds promise: structural schemas, their pruning, defaults, validation and rules."""

__all__ = ()
