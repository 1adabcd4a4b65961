"""What a promotion moves: KServe's two ways to split traffic, and our own endpoint, behind one contract."""

__all__ = ()
