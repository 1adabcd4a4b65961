"""From one request to one call of a model and back: lanes, batches, and the thread or loop that runs them."""

__all__ = ()
