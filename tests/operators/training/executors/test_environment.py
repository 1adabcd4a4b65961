"""What every trainer is told, whatever starts it (A6, A8)."""

import json

import attrs
from attempts import RUN, spec

from windlass.operators.training.executors.environment import VARIABLES, config_of, environment_of
from windlass.operators.training.files import sha256_of

CONFIG = config_of(spec(), RUN)


def test_every_variable_has_a_value_and_there_are_no_others():
    found = environment_of(spec(), RUN, CONFIG)

    assert list(VARIABLES) == list(found)
    assert all(found.values())


def test_equal_arguments_give_equal_bytes():
    assert environment_of(spec(), RUN, CONFIG) == environment_of(spec(), attrs.evolve(RUN), config_of(spec(), RUN))


def test_the_attempt_is_told_where_it_goes_on_and_by_which_token_it_may_write():
    found = environment_of(spec(), RUN, CONFIG)

    assert (found["RESUME_FROM_STEP"], found["WINDLASS_ATTEMPT"], found["WINDLASS_ATTEMPT_NUMBER"]) == (
        "40",
        RUN.op_id,
        "2",
    )
    assert found["CHECKPOINT_URI"] == f"{RUN.output_uri}/checkpoints"


def test_another_attempt_differs_in_what_is_its_own_and_in_nothing_else():
    """The configuration is the same, or checkpoints would not count; so is the run's id at W&B."""
    again = attrs.evolve(RUN, attempt=3, op_id="other", resume_step=50)
    one, other = environment_of(spec(), RUN, CONFIG), environment_of(spec(), again, config_of(spec(), again))

    differing = {name for name in one if one[name] != other[name]}
    assert differing == {"WINDLASS_ATTEMPT", "WINDLASS_ATTEMPT_NUMBER", "RESUME_FROM_STEP"}


def test_data_is_told_as_it_was_pinned_and_not_as_it_was_asked_for():
    """A3: what asks for the latest version is told the one that was found."""
    asked = attrs.evolve(spec(), data=attrs.evolve(spec().data, version="latest"))

    found = environment_of(asked, RUN, CONFIG)

    assert (found["WINDLASS_DATA_VERSION"], found["WINDLASS_DATA_TABLE_ID"]) == ("3", "table-a")
    assert found["WINDLASS_DATA_DIGEST"] == RUN.data.files_sha256


def test_hyperparameters_are_json_and_the_digest_is_of_the_file():
    found = environment_of(spec(hyperparameters={"b": [1, 2], "a": "ü"}), RUN, CONFIG)

    assert json.loads(found["WINDLASS_HYPERPARAMETERS"]) == {"a": "ü", "b": [1, 2]}
    assert found["WINDLASS_CONFIG_DIGEST"] == sha256_of(CONFIG)


def test_the_id_at_wandb_is_the_job_s_in_its_first_run_and_another_for_another_spec():
    first = environment_of(spec(), RUN, CONFIG)
    edited = environment_of(spec(), attrs.evolve(RUN, generation=2), CONFIG)

    assert first["WANDB_RUN_ID"] != edited["WANDB_RUN_ID"]
    assert first["WANDB_RUN_ID"].startswith("tj-")
    assert (len(first["WANDB_RUN_ID"]), first["WANDB_RESUME"]) == (23, "allow")
