"""What training jobs came to, counted from their statuses and told to Prometheus."""

__all__ = ()
