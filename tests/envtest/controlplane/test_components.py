import errno
import socket
import stat
from pathlib import Path

import pytest

from windlass.envtest.controlplane.components import (
    HOST,
    Place,
    apiserver_flags,
    controller_manager_flags,
    etcd_flags,
    free_port,
)


@pytest.fixture
def place():
    place = Place.make()
    yield place
    place.discard()


def values(flags):
    return dict(flag.removeprefix("--").split("=", 1) for flag in flags)


def try_to_listen(port, *, shared):
    with socket.socket() as one:
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((HOST, port))
        one.listen()


def test_a_new_place_is_private_and_knows_one_administrator(place):
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700
    assert place.tokens.read_text() == f"{place.token},admin,admin,system:masters\n"


def test_two_places_share_nothing(place):
    other = Place.make()
    try:
        assert other.folder != place.folder
        assert other.token != place.token
        ports = {one.apiserver_port for one in (place, other)} | {one.controller_manager_port for one in (place, other)}
        assert len(ports) == 4
    finally:
        other.discard()


def test_nobody_else_gets_a_ports_of_the_place_but_a_component_that_shares_does(place):
    for port in (place.apiserver_port, place.controller_manager_port):
        with pytest.raises(OSError) as caught:
            try_to_listen(port, shared=False)
        assert caught.value.errno == errno.EADDRINUSE
        try_to_listen(port, shared=True)


def test_a_reserved_port_refuses_connections_while_no_component_listens(place):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, place.apiserver_port), timeout=5)


def test_discard_gives_back_folder_and_ports():
    place = Place.make()
    place.discard()
    assert not place.folder.exists()
    try_to_listen(place.apiserver_port, shared=False)
    place.discard()  # once more does no harm


def test_a_places_repr_shows_no_sockets(place):
    assert "socket" not in repr(place)


def test_free_port_can_be_listened_on():
    try_to_listen(free_port(), shared=False)


def test_every_component_listens_on_loopback_alone(place):
    etcd = values(etcd_flags(place, "http://127.0.0.1:1234"))
    assert etcd["listen-client-urls"] == etcd["advertise-client-urls"] == "http://127.0.0.1:1234"
    assert etcd["listen-peer-urls"].startswith("http://127.0.0.1:")
    assert values(apiserver_flags(place, "http://127.0.0.1:1234"))["bind-address"] == HOST
    assert values(controller_manager_flags(place, Path("k"), minor=20))["bind-address"] == HOST


def test_all_data_of_the_components_is_in_the_places_folder(place):
    flags = values(apiserver_flags(place, "http://127.0.0.1:1234"))
    assert {
        Path(flags[name]).is_relative_to(place.folder)
        for name in ("cert-dir", "token-auth-file", "service-account-key-file", "service-account-signing-key-file")
    } == {True}
    assert Path(values(etcd_flags(place, "http://x"))["data-dir"]).is_relative_to(place.folder)
    assert place.apiserver_certificate.parent == Path(flags["cert-dir"])


def test_api_server_listens_on_its_reserved_port_and_finds_etcd(place):
    flags = values(apiserver_flags(place, "http://127.0.0.1:1234"))
    assert flags["secure-port"] == str(place.apiserver_port)
    assert flags["etcd-servers"] == "http://127.0.0.1:1234"
    assert flags["permit-port-sharing"] == "true"
    assert place.url == flags["service-account-issuer"] == f"https://{HOST}:{place.apiserver_port}"


@pytest.mark.parametrize(("minor", "port"), [(20, "0"), (23, "0"), (24, None), (33, None)])
def test_controller_managers_plain_port_is_closed_where_it_exists(place, minor, port):
    assert values(controller_manager_flags(place, Path("k"), minor=minor)).get("port") == port
