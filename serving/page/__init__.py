"""A page for people: which models serve, how fast they answer, and a form to ask one of them."""

__all__ = ()
