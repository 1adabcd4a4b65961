"""Who else is asked: admission webhooks, what they are told and may answer, and the conversion of versions."""

__all__ = ()
