"""How the server shows what it has: representations, tables, discovery, OpenAPI documents."""

__all__ = ()
