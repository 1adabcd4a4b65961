"""What contenders of other packages use, too: modules of the standard library alone, also found by their bare names."""

__all__ = ()
