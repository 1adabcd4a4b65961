"""The queues of TrainingJobs: at most so many jobs of a queue train at once, the more urgent and the older ones first.

`entries` reads from objects what a queue must know of a job, `places` gives the places away. `kueue` is about jobs
whose places are not ours to give.
"""

__all__ = ()
