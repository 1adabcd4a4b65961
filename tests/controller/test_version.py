"""Which server versions are supported, and what happens to the others."""

import logging

import pytest

from windlass.controller.errors import ManagerError, VersionMismatch
from windlass.controller.version import SupportedVersions, check_version, parse_version

SERVER = "https://cluster.example:6443"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v1.20.2", (1, 20)),
        ("v1.34.1", (1, 34)),
        ("v1.29.4-gke.1043002", (1, 29)),
        ("v1.30.0+k3s1", (1, 30)),
        ("v1.31.0-alpha.1.22+8b2c3d", (1, 31)),
        ("v1.27+", (1, 27)),
        ("1.28.3", (1, 28)),
        ("v1.25.16-eks-8cb36c9", (1, 25)),
        ("", None),
        ("dev", None),
        ("v1", None),
    ],
)
def test_versions_as_servers_write_them(text, expected):
    assert parse_version(text) == expected


@pytest.mark.parametrize(
    ("supported", "inside", "outside", "text"),
    [
        (SupportedVersions(), ["v1.20.0", "v1.99.1", "v2.0.0"], ["v1.19.16", "v1.9.0", "", "dev"], "1.20 or newer"),
        (SupportedVersions("1.25", "1.34"), ["v1.25.0", "v1.34.9"], ["v1.24.17", "v1.35.0"], "1.25 to 1.34"),
        (SupportedVersions(None, "1.34"), ["v1.2.0", "v1.34.0"], ["v1.100.0"], "1.34 or older"),
        (SupportedVersions(None, None), ["v0.1.0"], ["dev"], "any version"),
    ],
    ids=str,
)
def test_ranges_include_both_ends_whatever_the_patch_release(supported, inside, outside, text):
    assert [version for version in [*inside, *outside] if version in supported] == inside
    assert str(supported) == text


def test_a_server_outside_is_refused_with_all_there_is_to_know():
    with pytest.raises(VersionMismatch) as caught:
        check_version("v1.19.3", SupportedVersions(highest="1.34"), server=SERVER)
    assert str(caught.value).startswith(f"the API server at {SERVER} is version v1.19.3; supported is 1.20 to 1.34: ")
    assert (caught.value.server, caught.value.found) == (SERVER, "v1.19.3")


def test_a_server_without_a_version_is_refused_too():
    with pytest.raises(VersionMismatch, match=r"is version \(none given\)"):
        check_version("", SupportedVersions(), server=SERVER)


def test_the_policy_may_be_to_warn(caplog):
    with caplog.at_level(logging.WARNING):
        check_version("v1.19.3", SupportedVersions(policy="warn"), server=SERVER)
    assert "is version v1.19.3; supported is 1.20 or newer" in caplog.text


def test_a_server_inside_is_not_mentioned(caplog):
    check_version("v1.34.1", SupportedVersions(), server=SERVER)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lowest": "1"}, "lowest: expected 'major.minor' or None, found '1'"),
        ({"highest": "v1.34"}, "highest: expected 'major.minor' or None, found 'v1.34'"),
        ({"lowest": "1.34", "highest": "1.20"}, "lowest: expected at most highest (1.20), found 1.34"),
        ({"policy": "ignore"}, "policy: expected 'fail' or 'warn', found 'ignore'"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(ManagerError) as caught:
        SupportedVersions(**fields).validate()
    assert message in str(caught.value)


def test_the_default_range_makes_sense():
    SupportedVersions().validate()
