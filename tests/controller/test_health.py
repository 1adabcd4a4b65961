"""The probe server, over a real socket."""

import json

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from windlass.controller.controller import Controller
from windlass.controller.errors import ManagerError
from windlass.controller.exposure import exposure_fault
from windlass.controller.health import ProbeServer
from windlass.controller.pages import Page
from windlass.controller.spec import ControllerSpec


async def nothing(ctx, request):
    return None


def server(*, token=None, controllers=list, details=dict, pages=None, **checks):
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    live = checks.get("live", {"loop": lambda: None})
    ready = checks.get("ready", {"caches": lambda: None})
    return ProbeServer(
        "127.0.0.1",
        0,
        registry=registry,
        controllers=controllers,
        live=live,
        ready=ready,
        token=token,
        details=details,
        pages=pages or {},
    )


async def ask(probes, path, **headers):
    host, port = probes.address
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}{path}", headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


@pytest.mark.realtime
async def test_checks_that_pass_answer_200_with_one_line_each():
    async with server() as probes:
        assert await ask(probes, "/healthz") == (200, "text/plain; charset=utf-8", "[+] loop ok\nok\n")
        assert (await ask(probes, "/readyz"))[2] == "[+] caches ok\nok\n"


@pytest.mark.realtime
async def test_a_check_that_fails_answers_503_and_says_why():
    async with server(ready={"caches": lambda: "pods.v1 is not complete", "lease": lambda: None}) as probes:
        status, _, text = await ask(probes, "/readyz")
        assert (status, text) == (503, "[-] caches: pods.v1 is not complete\n[+] lease ok\nfailed\n")
        assert (await ask(probes, "/healthz"))[0] == 200


@pytest.mark.realtime
async def test_metrics_come_in_the_format_that_is_asked_for():
    async with server() as probes:
        status, kind, text = await ask(probes, "/metrics")
        assert (status, kind.partition(";")[0]) == (200, "text/plain")
        assert "things_total 3.0" in text
        _, kind, text = await ask(probes, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert kind.startswith("application/openmetrics-text")
        assert text.endswith("# EOF\n")


@pytest.mark.realtime
async def test_other_paths_are_not_found():
    async with server() as probes:
        assert (await ask(probes, "/"))[0] == 404


@pytest.mark.realtime
async def test_the_address_is_known_only_while_it_listens():
    probes = server()
    with pytest.raises(ManagerError, match="does not listen"):
        _ = probes.address
    async with probes:
        taken = ProbeServer(*probes.address, registry=CollectorRegistry(), controllers=list, live={}, ready={})
        with pytest.raises(ManagerError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*; choose another Settings"):
            await taken.__aenter__()
    with pytest.raises(ManagerError, match="does not listen"):
        _ = probes.address


# Who may look.


@pytest.mark.realtime
@pytest.mark.parametrize("path", ["/metrics", "/debug/controllers"])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic c2VjcmV0"}, 401),
        ({"Authorization": "Bearer sécret"}, 401),
        ({"Authorization": "Bearer secret"}, 200),
    ],
    ids=["none", "wrong", "empty", "another scheme", "not ascii", "right"],
)
async def test_with_a_token_what_was_counted_and_what_goes_on_is_for_those_who_have_it(path, given, status):
    async with server(token="secret") as probes:
        assert (await ask(probes, path, **given))[0] == status


@pytest.mark.realtime
async def test_probes_need_no_token_for_kubelets_have_none():
    """M9: and a readiness that could be refused would not be one."""
    async with server(token="secret") as probes:
        assert [(await ask(probes, path))[0] for path in ("/healthz", "/readyz")] == [200, 200]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_this_machine_alone_no_token_is_needed(host):
    assert exposure_fault(host, None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "windlass.example.com", ""])
def test_whoever_listens_to_others_needs_a_token(host):
    assert exposure_fault(host, None) == (
        f"Settings.probe_host is {host!r}, which others can reach, and there is no Settings.probe_token: "
        "set one, or listen on 127.0.0.1"
    )
    assert exposure_fault(host, "secret") is None


def test_an_empty_token_is_a_mistake_wherever_it_listens():
    assert exposure_fault("127.0.0.1", "") == "Settings.probe_token is empty: expected a secret text, or None"


@pytest.mark.realtime
async def test_the_debug_page_is_json_of_all_controllers_and_of_one_key_if_asked():
    controller = Controller(ControllerSpec(name="pods", reconcile=nothing, watches=()))
    async with server(controllers=lambda: [controller], details=lambda: {"loop": "well"}) as probes:
        status, kind, text = await ask(probes, "/debug/controllers")
        page = json.loads(text)
        assert (status, kind.partition(";")[0], page["loop"]) == (200, "application/json", "well")
        assert [one["name"] for one in page["controllers"]] == ["pods"]
        assert page["controllers"][0]["traces"] == {}
        _, _, text = await ask(probes, "/debug/controllers?key=ns/a")
        assert json.loads(text)["controllers"][0]["traces"] == {"ns/a": []}
        status, _, text = await ask(probes, "/debug/controllers?key=a/b/c")
        assert (status, text) == (400, "not an object key: expected 'namespace/name' or 'name', found 'a/b/c'\n")


PAGES = {"life": Page("life", "image/svg+xml", lambda key: f"<svg>{key}</svg>" if key.name == "a" else None)}


@pytest.mark.realtime
async def test_a_page_shows_the_object_that_was_asked_for():
    async with server(pages=PAGES) as probes:
        assert await ask(probes, "/debug/life?key=default/a") == (
            200,
            "image/svg+xml; charset=utf-8",
            "<svg>default/a</svg>",
        )


@pytest.mark.realtime
async def test_a_page_says_in_a_line_what_it_was_not_given_or_does_not_know():
    async with server(pages=PAGES) as probes:
        assert [
            (await ask(probes, f"/debug/{path}"))[::2] for path in ("life", "life?key=default/b", "else?key=a")
        ] == [
            (400, "expected ?key=namespace/name\n"),
            (404, "life knows nothing of default/b\n"),
            (404, "there is no page of that name; there are controllers, life\n"),
        ]
        assert (await ask(probes, "/debug/life?key=a/b/c"))[0] == 400


@pytest.mark.realtime
async def test_the_debug_page_has_a_link_to_each_page():
    async with server(pages=PAGES) as probes:
        assert json.loads((await ask(probes, "/debug/controllers"))[2])["pages"] == {
            "life": "/debug/life?key=NAMESPACE/NAME"
        }
        asked = json.loads((await ask(probes, "/debug/controllers?key=default/a"))[2])
        assert asked["pages"] == {"life": "/debug/life?key=default/a"}


@pytest.mark.realtime
async def test_pages_are_for_those_with_the_token():
    async with server(token="secret", pages=PAGES) as probes:
        assert (await ask(probes, "/debug/life?key=default/a"))[0] == 401
        assert (await ask(probes, "/debug/life?key=default/a", Authorization="Bearer secret"))[0] == 200


@pytest.mark.parametrize("name", ["", "A", "a/b", "controllers", "-a"])
def test_a_page_whose_name_cannot_stand_in_a_path_is_refused(name):
    with pytest.raises(ManagerError, match=r"Page\.name: expected"):
        Page(name, "text/plain", lambda key: None)
