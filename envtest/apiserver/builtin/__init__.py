"""What built-in kinds have beyond their rows in `kinds`: defaults, checks, addresses, conditions."""

__all__ = ()
