"""What Kubernetes 1.20 lacks: the only reasons for skipping a case on it, each with the version that brought it.

A key is the name of a case, or of one of its rows as `case[row]`.
"""

_STRICT = "the server validates fields since 1.25 (1.20 leaves that to kubectl)"
_STREAMED = "lists are streamed by watches since 1.27"
_RULES = "rules are evaluated since 1.25"
_ENTRIES = "entries of managedFields know their subresource since 1.22"
_JUDGED = (
    "test_a_breach_has_the_reason_and_the_place_that_the_rule_names",
    "test_a_breach_says",
    "test_a_breach_says_the_message",
    "test_a_breach_says_the_rule",
    "test_a_compiler_says_where_a_rule_is_wrong",
    "test_a_rule_about_old_items_needs_keys",
    "test_a_rule_at_the_root_sees_names_and_nothing_else_of_the_metadata",
    "test_a_rule_may_be_about",
    "test_a_rule_that_cannot_be_judged_is_refused",
    "test_a_rule_that_fails_is_a_breach",
    "test_a_transition_is_judged_on_update_alone",
    "test_an_optional_old_self_is_judged_on_create_too",
    "test_every_value_of_a_node_is_judged",
    "test_items_are_compared_by_their_keys",
    "test_rules_wait_until_the_schema_is_kept",
    "test_what_broke_a_new_rule_before_may_stay_so",
)

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
    **dict.fromkeys(_JUDGED, _RULES),
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
