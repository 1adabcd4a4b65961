"""How late is an event? A recorded watch stream, sent to each contender alike at a rate that no API server writes."""

__all__ = ()
