"""What a request does: each verb on one object or a collection, decided on the store without an await."""

__all__ = ()
