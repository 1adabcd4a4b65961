"""Names that a crash cannot change: they are computed from the object's uid and generation, never drawn (G2).

This module does not know what the names are used for.
"""

import hashlib
import re

__all__ = ("child_name", "operation_id", "run_id", "wandb_run_id")

_LENGTH = 20


def run_id(uid: str, generation: int) -> str:
    """One run for each generation of one object: 20 hexadecimal digits, also the name of the run's folder."""
    return _digest(f"{uid}|run|{generation}")


def operation_id(run: str, step: str, attempt: int) -> str:
    """The id under which one attempt at one step of a run is recorded before it is begun (G1, G2)."""
    return _digest(f"{run}|{step}|{attempt}")


def child_name(job: str, run: str, attempt: int) -> str:
    """The name of the object in the cluster that does the work of one attempt; no other attempt has it (A10).

    At most 45 characters, letters first, so that what kinds append to it for their Pods still fits into a host name.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", job.lower())[:20].strip("-")
    if not slug[:1].isalpha():
        slug = f"job-{slug}".rstrip("-")
    return f"{slug}-{run[:12]}-{attempt}"


def wandb_run_id(job: str, uid: str, generation: int = 1) -> str:
    """The id at Weights & Biases of a run of `job`, which is namespace/name; of characters that are allowed there.

    The same in all attempts. A changed spec is another run, whose steps begin anew and would be dropped in the old one.
    """
    return f"tj-{_digest(f'{job}/{uid}' if generation == 1 else f'{job}/{uid}/{generation}')}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
