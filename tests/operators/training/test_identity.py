"""Names that a crash cannot change (G2)."""

from windlass.operators.training.identity import operation_id, run_id


def test_one_generation_of_one_object_has_one_run():
    assert run_id("uid", 1) == run_id("uid", 1)
    assert len({run_id("uid", 1), run_id("uid", 2), run_id("other", 1)}) == 3


def test_each_attempt_has_its_own_operation():
    assert len({operation_id("run", step, attempt) for step in ("train", "other") for attempt in (1, 2, 11)}) == 6


def test_ids_are_fit_for_a_folder_and_a_label():
    assert all(character in "0123456789abcdef" for character in run_id("uid", 1))
    assert len(run_id("uid", 1)) == len(operation_id("run", "train", 1)) == 20
