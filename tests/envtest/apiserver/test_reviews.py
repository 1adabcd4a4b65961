import pytest

from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.kinds import BUILT_IN
from windlass.envtest.apiserver.reviews import review

KINDS = {resource.kind: resource for resource in BUILT_IN if resource.review}


def token_review(given, known="secret"):
    return review(KINDS["TokenReview"], {"spec": {"token": given}}, known)["status"]


def test_the_known_token_is_the_administrators():
    assert token_review("secret")["authenticated"] is True
    assert "system:authenticated" in token_review("secret")["user"]["groups"]


def test_another_token_is_nobodys():
    assert token_review("other") == {"user": {}, "error": "invalid bearer token"}


def test_every_token_will_do_where_none_is_asked_for():
    assert token_review("other", known="")["authenticated"] is True


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"TokenReview"}))
def test_every_access_is_allowed_and_the_question_repeated(kind):
    spec = {"resourceAttributes": {"verb": "delete", "resource": "pods"}}
    found = review(KINDS[kind], {"spec": spec}, "secret")
    assert (found["kind"], found["spec"], found["status"]) == (kind, spec, {"allowed": True})


@pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {"token": ""}}, {"spec": {"token": 7}}])
def test_a_question_that_asks_nothing_is_a_bad_request(body):
    with pytest.raises(ApiError) as caught:
        review(KINDS["TokenReview"], body, "secret")
    assert caught.value.code == 400
