"""Resource versions are compared as big integers, within one resource, or not at all (R26, U-01)."""

__all__ = ("at_least", "parse_version")


def parse_version(text: str) -> int | None:
    """The version as a number; None when it is not a positive decimal without leading zeros."""
    return int(text) if text.isascii() and text.isdigit() and text[0] != "0" else None


def at_least(seen: str, wanted: str) -> bool | None:
    """Whether `seen` is `wanted` or newer; None when the two cannot be compared, and the caller must fail open."""
    left, right = parse_version(seen), parse_version(wanted)
    return None if left is None or right is None else left >= right
