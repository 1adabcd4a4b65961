"""What controllers do behind a real API server: garbage collection, namespaces, aggregated roles."""

__all__ = ()
