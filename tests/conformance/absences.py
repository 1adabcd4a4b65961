"""What Kubernetes 1.20 lacks: the only reasons for skipping a case on it, each with the version that brought it.

A key is the name of a case, or of one of its rows as `case[row]`.
"""

_STRICT = "the server validates fields since 1.25 (1.20 leaves that to kubectl)"
_STREAMED = "lists are streamed by watches since 1.27"
_ENTRIES = "entries of managedFields know their subresource since 1.22"

ABSENT: dict[str, str] = {
    "test_a_kind_may_declare_fields_to_select_by": "selectableFields came with 1.30",
    "test_a_namespace_is_labelled_with_its_name": "the label came with 1.21",
    "test_a_scaling_takes_the_replicas": _ENTRIES,
    "test_a_write_of_the_status_is_an_entry_of_the_subresource": _ENTRIES,
    "test_an_apply_of_the_status_has_an_entry_of_its_own": _ENTRIES,
    "test_an_apply_of_the_status_sets_the_status_alone": "1.22 was the first to keep an apply to its subresource",
    "test_an_unknown_validation_is_invalid": _STRICT,
    "test_initial_events_are_not_for_lists": _STREAMED,
    "test_initial_events_end_with_a_bookmark": _STREAMED,
    "test_initial_events_need_a_match": _STREAMED,
    "test_strict_validation_refuses_fields_that_stand_twice": _STRICT,
    "test_strict_validation_refuses_unknown_fields": _STRICT,
    "test_the_last_field_of_a_parent_takes_it_along": "1.20 leaves null in the parent's place and then refuses it",
    "test_unknown_fields_are_warned_of": _STRICT,
    "test_what_was_invalid_before_may_stay_so": "validation by ratchet came with 1.30",
    "test_discovery_is_aggregated_for_whom_asks": "aggregated discovery came with 1.26",
    "test_unknown_metadata_are_found": _STRICT,
    "test_fields_that_stand_twice_are_warned_of": _STRICT,
    "test_who_am_i": "SelfSubjectReview came with 1.28",
    "test_a_json_patch_that_cannot_be_performed_is_invalid[a field to replace that is not there]": (
        "the JSON patch library of 1.20 adds what it should replace"
    ),
}


def absence(case: str, row: str) -> str:
    """Why a case does not run on Kubernetes 1.20; empty if it does."""
    return ABSENT.get(case) or ABSENT.get(f"{case}[{row}]", "")
