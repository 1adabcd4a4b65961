"""What a trainer is told by its environment follows from spec and run alone, whatever executor starts it (A6, A8).

The same variables reach a process on this machine and every container in the cluster. Data is told as it was pinned,
never as the spec asked for it. This module does not know how an environment is passed on.
"""

import json
from typing import Any, Final

from windlass.operators.training.dataversion import DataRecord
from windlass.operators.training.executors.contract import Run
from windlass.operators.training.files import canonical_json, sha256_of
from windlass.operators.training.identity import wandb_run_id
from windlass.operators.training.types import TrainingJobSpec

__all__ = ("VARIABLES", "config_of", "environment_of")

VARIABLES: Final = {
    "WINDLASS_JOB": "namespace/name of the TrainingJob",
    "WINDLASS_RUN_ID": "the run: the same in all its attempts",
    "WINDLASS_ATTEMPT": "the attempt's token, which is the run's `attempt` file for as long as this attempt may write",
    "WINDLASS_ATTEMPT_NUMBER": "1 for the first attempt",
    "WINDLASS_OUTPUT_URI": "the run's folder: config.json, checkpoints, progress.jsonl, result.json",
    "CHECKPOINT_URI": "the folder of the checkpoints, one folder a step",
    "RESUME_FROM_STEP": "the step of the newest complete checkpoint when the attempt was begun; 0 if there was none",
    "WINDLASS_DATA_URI": "the Delta table",
    "WINDLASS_DATA_VERSION": "its pinned version",
    "WINDLASS_DATA_TABLE_ID": "its table id",
    "WINDLASS_DATA_DIGEST": "the digest of the version's file set; `dataSha256` of a checkpoint's manifest",
    "WINDLASS_CONFIG_DIGEST": "the digest of config.json; `configSha256` of a checkpoint's manifest",
    "WINDLASS_SEED": "spec.seed",
    "WINDLASS_HOLDOUT": "the share of rows that must not be trained on",
    "WINDLASS_HYPERPARAMETERS": "spec.hyperparameters as JSON",
    "WANDB_RUN_ID": "the run's id at Weights & Biases, the same in all attempts",
    "WANDB_RESUME": "allow",
}


def config_of(spec: TrainingJobSpec, run: Run) -> bytes:
    """The run's config.json, for a trainer that is not one of ours: the same on every attempt."""
    return canonical_json(
        {
            "run": run.id,
            "data": _data(run.data),
            "seed": spec.seed,
            "holdout": spec.validation.holdout,
            "hyperparameters": dict(spec.hyperparameters),
        }
    )


def environment_of(spec: TrainingJobSpec, run: Run, config: bytes) -> dict[str, str]:
    """The variables of VARIABLES for one attempt, in that order. Pure."""
    values = {
        "WINDLASS_JOB": str(run.key),
        "WINDLASS_RUN_ID": run.id,
        "WINDLASS_ATTEMPT": run.op_id,
        "WINDLASS_ATTEMPT_NUMBER": str(run.attempt),
        "WINDLASS_OUTPUT_URI": run.output_uri,
        "CHECKPOINT_URI": f"{run.output_uri}/checkpoints",
        "RESUME_FROM_STEP": str(run.resume_step),
        "WINDLASS_DATA_URI": run.data.uri,
        "WINDLASS_DATA_VERSION": str(run.data.version),
        "WINDLASS_DATA_TABLE_ID": run.data.table_id,
        "WINDLASS_DATA_DIGEST": run.data.files_sha256,
        "WINDLASS_CONFIG_DIGEST": sha256_of(config),
        "WINDLASS_SEED": str(spec.seed),
        "WINDLASS_HOLDOUT": repr(spec.validation.holdout),
        "WINDLASS_HYPERPARAMETERS": json.dumps(dict(spec.hyperparameters), sort_keys=True, separators=(",", ":")),
        "WANDB_RUN_ID": wandb_run_id(str(run.key), run.uid, run.generation),
        "WANDB_RESUME": "allow",
    }
    return {name: values[name] for name in VARIABLES}


def _data(record: DataRecord) -> dict[str, Any]:
    return {
        "uri": record.uri,
        "tableId": record.table_id,
        "version": record.version,
        "filesSha256": record.files_sha256,
        "rows": record.rows,
    }
