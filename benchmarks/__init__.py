"""What does it cost? Scenarios, and contenders that go through them, each in a process of its own."""

__all__ = ()
