"""Who may do what: who somebody is, which rules they hold, what they may hand out, and the questions about it."""

__all__ = ()
