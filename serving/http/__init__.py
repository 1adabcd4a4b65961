"""The HTTP side of the endpoint: what is routed, what is let in, and how a refusal looks."""

__all__ = ()
