"""Hardware: what a job asks of machines, which of them it is given and why, and how its Pods come to say so.

A profile describes a kind of device, `place` chooses a class and nodes, `dress` writes the choice into a Pod template.
"""

__all__ = ()
