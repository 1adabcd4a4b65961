import datetime as dt

import pytest

from windlass.envtest.apiserver.access.accounts import AUDIENCE, Accounts
from windlass.envtest.apiserver.access.authentication import Authenticator
from windlass.envtest.apiserver.access.authorization import Authorizer
from windlass.envtest.apiserver.access.gate import Gate
from windlass.envtest.apiserver.access.reviews import Question, review
from windlass.envtest.apiserver.builtin.accesskinds import ACCESS_KINDS
from windlass.envtest.apiserver.errors import ApiError
from windlass.envtest.apiserver.identity import ADMINISTRATOR, User
from windlass.envtest.apiserver.store.storage import Store

KINDS = {resource.kind: resource for resource in ACCESS_KINDS if resource.review}
ANN = User.authenticated("ann", ("crew",))


def asked(kind, spec, user=ADMINISTRATOR, anybody=False):
    store = Store()
    accounts = Accounts(store, b"key", lambda: dt.datetime.now(dt.UTC))
    gate = Gate(Authenticator({"secret": ADMINISTRATOR}, accounts, None, anybody), Authorizer(store))
    return review(Question(KINDS[kind], {"spec": spec}, user, "default" if kind.startswith("Local") else ""), gate)


def test_the_known_token_is_the_administrators():
    status = asked("TokenReview", {"token": "secret"})["status"]
    assert status["authenticated"] is True
    assert status["audiences"] == [AUDIENCE]
    assert status["user"]["groups"] == ["system:masters", "system:authenticated"]


def test_another_token_is_nobodys():
    assert asked("TokenReview", {"token": "other"})["status"] == {"user": {}, "error": "invalid bearer token"}


def test_every_token_will_do_where_none_is_asked_for():
    assert asked("TokenReview", {"token": "other"}, anybody=True)["status"]["authenticated"] is True


@pytest.mark.parametrize(("user", "allowed"), [(ADMINISTRATOR, True), (ANN, False)])
def test_an_access_is_allowed_to_whom_a_role_allows_it_and_the_question_repeated(user, allowed):
    spec = {"resourceAttributes": {"verb": "delete", "resource": "pods"}}
    found = asked("SelfSubjectAccessReview", spec, user)
    assert (found["kind"], found["spec"], found["status"]) == ("SelfSubjectAccessReview", spec, {"allowed": allowed})


def test_the_user_of_a_question_is_the_one_that_it_names():
    spec = {"user": "ann", "groups": ["system:masters"], "resourceAttributes": {"verb": "get", "resource": "pods"}}
    assert asked("SubjectAccessReview", spec)["status"]["allowed"] is True
    assert asked("SubjectAccessReview", spec | {"groups": []})["status"]["allowed"] is False


def test_who_asks_is_told_who_they_are():
    assert asked("SelfSubjectReview", None, ANN)["status"]["userInfo"] == {
        "username": "ann",
        "groups": ["crew", "system:authenticated"],
    }


@pytest.mark.parametrize("spec", [{}, None, {"token": ""}, {"token": 7}, []])
def test_a_question_that_asks_nothing_is_a_bad_request(spec):
    with pytest.raises(ApiError) as caught:
        asked("TokenReview", spec)
    assert caught.value.code == 400
