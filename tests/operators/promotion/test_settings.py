"""A custom resource sends requests only where the operator's owner lets it."""

import pytest

from windlass.operators.promotion.settings import PromotionSettings


@pytest.mark.parametrize(
    ("prefix", "url", "allowed"),
    [
        ("http://metrics:9090", "http://metrics:9090", True),
        ("http://metrics:9090", "http://metrics:9090/api", True),
        ("http://metrics", "http://metrics?x", True),
        ("http://", "http://anything", True),
        ("http://metrics", "http://metrics.evil.example", False),
        ("http://metrics", "http://metrics@evil.example", False),
        ("http://metrics", "http://metrics:80", False),
        ("http://metrics", "https://metrics", False),
        ("http://metrics/a", "http://metrics/b", False),
        ("http://metrics/a", "http://metrics/a/../b", False),
        ("http://metrics/a", "http://metrics/a/%2E%2e/b", False),
        ("http://metrics/a", "http://metrics/a/..b?x=/../", True),
    ],
)
def test_a_url_is_allowed_by_a_prefix_that_ends_where_a_part_of_it_does(prefix, url, allowed):
    assert PromotionSettings(urls=(prefix,)).allows(url) is allowed


def test_none_is_allowed_unless_named():
    assert not PromotionSettings().allows("http://localhost")
