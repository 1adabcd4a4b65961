"""`windlass job`: training jobs as people look at them and steer them, in any cluster that has them."""

__all__ = ()
