"""From a published model to the traffic of whoever serves it: one Promotion for one run, and what became of it.

types      what a user asks for in `spec.promotion`, and what stands on record of it
child      the Promotion that a job creates, and how one of its name is taken
decision   what follows from it for the job
"""

__all__ = ()
