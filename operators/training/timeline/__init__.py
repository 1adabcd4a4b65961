"""What became of one job, and when: a value of what its status says, and a picture of that value.

This module does not know where a job is read or a picture is shown.
"""

__all__ = ()
