"""The families of language models that come with Windlass, one module each; see `family`."""

__all__ = ()
