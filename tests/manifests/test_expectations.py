import pytest

from windlass.manifests.expectations import expected_type


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "a string"),
        ({"type": "object"}, "an object"),
        ({"type": "integer"}, "an integer"),
        ({"type": "integer", "minimum": 1, "maximum": 10}, "an integer from 1 to 10"),
        ({"type": "integer", "minimum": 1}, "an integer of at least 1"),
        ({"type": "number", "maximum": 1.5, "exclusiveMaximum": True}, "a number less than 1.5"),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1},
            "a number greater than 0 and of at most 1",
        ),
        ({"type": "integer", "multipleOf": 5}, "an integer that is a multiple of 5"),
        ({"minimum": 2}, "a number of at least 2"),
        ({"x-kubernetes-int-or-string": True}, "an integer or a string"),
    ],
)
def test_what_a_schema_expects_in_words(schema, words):
    assert expected_type(schema | {"type": schema.get("type", "number")}) == words
