"""What does the cluster look like right now? Requests, watch streams, stores, indexes and caches."""

__all__ = ()
