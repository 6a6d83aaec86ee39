"""The door out, against real servers on this machine."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import AddressError, RefusedError, TryLaterError
from connector.outbound import AllowList, Door
from connector.outbound.addresses import is_public

Script = Callable[["Caller"], None]


class Caller(BaseHTTPRequestHandler):
    """One request as the server sees it; the script of its server answers."""

    protocol_version = "HTTP/1.1"
    script: ClassVar[Script]
    seen: ClassVar[list[Caller]]
    body = b""

    def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        type(self).seen.append(self)
        type(self).script(self)

    do_POST = do_GET

    def log_message(self, *_args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Any] = []
        handler = type("Handler", (Caller,), {"script": staticmethod(script), "seen": self.seen})
        super().__init__(("127.0.0.1", 0), handler)
        self.scheme = "https" if tls else "http"
        if tls:
            # Each thread shakes hands for itself, so a refused handshake does not stop the server.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, *_args: object) -> None:
        pass


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    with Server(script, tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def world() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def a_door(world: ExitStack, **changed: Any) -> Door:
    arguments: dict[str, Any] = {
        "connect_timeout": 2,
        "read_timeout": 2,
        "allowed_private": AllowList.of(["127.0.0.1"]),
        "user_agent": "connector/test",
        "sleep": lambda _seconds: None,
        "random": lambda: 0.5,
    }
    door = Door(**{**arguments, **changed})
    world.callback(door.close)
    return door


def ok(caller: Caller) -> None:
    caller.answer(body=b'{"ok": true}')


def saying(*scripts: Script) -> Script:
    """Answers with each in turn, and for ever with the last."""
    left = list(scripts)

    def answer(caller: Caller) -> None:
        script = left.pop(0) if len(left) > 1 else left[0]
        script(caller)

    return answer


def status(number: int, **headers: str) -> Script:
    return lambda caller: caller.answer(number, **headers)


def hang_up(caller: Caller) -> None:
    caller.close_connection = True
    caller.connection.close()


def everything_said(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += f"{error!s}\n{error!r}\n"
        error = error.__cause__ or error.__context__
    return said


# ---- asking and answering


def test_json_travels_both_ways(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    session = a_door(world).session(server.url + "/api/v1/", headers={"Authorization": "Bearer abc"})

    response = session.request("POST", "/people", json={"name": "Zoë"}, params={"first": 2, "after": None})

    (seen,) = server.seen
    assert (response.status, response.json()) == (200, {"ok": True})
    assert response.url == server.url + "/api/v1/people"
    assert (seen.command, seen.path) == ("POST", "/api/v1/people?first=2")
    assert seen.body == '{"name":"Zoë"}'.encode()
    assert seen.headers["Authorization"] == "Bearer abc"
    assert seen.headers["Content-Type"] == "application/json"


def test_response_headers_ignore_case(world: ExitStack) -> None:
    server = world.enter_context(serving(status(429, Retry_After="7")))

    response = a_door(world).session(server.url).request("GET", "/")

    assert response.headers["retry-after"] == "7"


def test_a_header_spelled_otherwise_replaces_ours(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    session = a_door(world).session(server.url, headers={"ACCEPT": "text/csv"})

    session.request("GET", "/", headers={"user-agent": "mine"})

    assert server.seen[0].headers.get_all("Accept") == ["text/csv"]
    assert server.seen[0].headers.get_all("User-Agent") == ["mine"]


def test_correlation_id_and_user_agent_are_sent(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))

    a_door(world, correlation_id=lambda: "abc123").session(server.url).request("GET", "/")

    assert server.seen[0].headers["X-Request-Id"] == "abc123"
    assert server.seen[0].headers["User-Agent"] == "connector/test"


def test_connections_are_kept_across_sessions(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    door = a_door(world)

    for _ in range(3):
        door.session(server.url).request("GET", "/")

    assert len({seen.client_address for seen in server.seen}) == 1


def test_an_answer_without_body_keeps_its_connection(world: ExitStack) -> None:
    def empty(caller: Caller) -> None:
        caller.send_response(204)
        caller.end_headers()

    server = world.enter_context(serving(empty))
    session = a_door(world).session(server.url)

    assert [session.request("POST", "/").body for _ in range(2)] == [b"", b""]
    assert len({seen.client_address for seen in server.seen}) == 1


def test_threads_may_share_one_session(world: ExitStack) -> None:
    server = world.enter_context(serving(lambda caller: caller.answer(body=caller.path.encode())))
    session = a_door(world).session(server.url)
    wrong: list[str] = []

    def ask(number: int) -> None:
        for turn in range(20):
            path = f"/{number}/{turn}"
            if session.request("GET", path).body != path.encode():
                wrong.append(path)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(server.seen) == 160


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    session = a_door(world).session(server.url)
    session.request("GET", "/parent")

    child = os.fork()
    if child == 0:
        # Whatever happens, the child must not go on to run the rest of the tests.
        failed = True
        try:
            failed = session.request("GET", "/child").status != 200
        finally:
            os._exit(failed)

    assert os.waitpid(child, 0)[1] == 0
    assert len({seen.client_address for seen in server.seen}) == 2


def test_a_connection_the_server_closed_is_replaced(world: ExitStack) -> None:
    server = world.enter_context(serving(saying(status(200, Connection="close"), ok)))
    session = a_door(world).session(server.url)
    session.request("GET", "/")

    assert session.request("POST", "/", json={}).status == 200


def test_compressed_answers_are_unpacked(world: ExitStack) -> None:
    packed = gzip.compress(b'{"ok": true}')
    server = world.enter_context(serving(lambda c: c.answer(body=packed, Content_Encoding="gzip")))

    assert a_door(world).session(server.url).request("GET", "/").json() == {"ok": True}


def test_redirects_are_answers_not_followed(world: ExitStack) -> None:
    server = world.enter_context(serving(status(302, Location="http://169.254.169.254/latest")))

    assert a_door(world).session(server.url).request("GET", "/").status == 302
    assert len(server.seen) == 1


def test_an_answer_that_is_not_json_is_tried_later(world: ExitStack) -> None:
    server = world.enter_context(serving(lambda caller: caller.answer(body=b"<html>")))

    with pytest.raises(TryLaterError, match="not JSON") as caught:
        a_door(world).session(server.url).request("GET", "/").json()

    assert caught.value.code == "not_json"


# ---- limits and failures


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_too_large_is_refused(world: ExitStack, *, chunked: bool) -> None:
    def large(caller: Caller) -> None:
        if not chunked:
            return caller.answer(body=b"x" * 200_000)
        caller.send_response(200)
        caller.send_header("Transfer-Encoding", "chunked")
        caller.end_headers()
        for _ in range(20):
            caller.wfile.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        return caller.wfile.write(b"0\r\n\r\n")

    server = world.enter_context(serving(large))

    with pytest.raises(RefusedError) as caught:
        a_door(world, max_bytes=100_000).session(server.url).request("GET", "/")

    assert caught.value.code == "answer_too_large"


def test_a_small_answer_that_unpacks_too_large_is_refused(world: ExitStack) -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    server = world.enter_context(serving(lambda c: c.answer(body=bomb, Content_Encoding="gzip")))

    with pytest.raises(RefusedError, match="more than 100,000 bytes"):
        a_door(world, max_bytes=100_000).session(server.url).request("GET", "/")


def test_an_answer_just_within_the_limit_passes(world: ExitStack) -> None:
    server = world.enter_context(serving(lambda caller: caller.answer(body=b"x" * 100_000)))

    response = a_door(world, max_bytes=100_000).session(server.url).request("GET", "/")

    assert len(response.body) == 100_000


def test_a_silent_server_is_a_timeout(world: ExitStack) -> None:
    done = threading.Event()
    server = world.enter_context(serving(lambda _caller: done.wait(5) and None))
    world.callback(done.set)

    with pytest.raises(TryLaterError, match="did not answer in time") as caught:
        a_door(world, read_timeout=0.1).session(server.url).request("POST", "/")

    assert caught.value.code == "timeout"
    assert caught.value.__cause__ is not None


def test_a_trickling_answer_is_given_up(world: ExitStack) -> None:
    def trickle(caller: Caller) -> None:
        caller.send_response(200)
        caller.send_header("Content-Length", "10000")
        caller.end_headers()
        for _ in range(1000):
            caller.wfile.write(b"x")
            time.sleep(0.02)

    server = world.enter_context(serving(trickle))

    with pytest.raises(TryLaterError, match="took too long") as caught:
        a_door(world, read_timeout=0.3).session(server.url).request("POST", "/")

    assert caught.value.code == "timeout"


def test_a_refused_connection_is_tried_later(world: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(TryLaterError, match="nothing answers") as caught:
        a_door(world).session(f"http://127.0.0.1:{port}").request("GET", "/")

    assert caught.value.code == "unreachable"


def test_an_unknown_name_is_tried_later(world: ExitStack) -> None:
    def nowhere(*_args: object) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(TryLaterError, match="name is not known") as caught:
        a_door(world, resolver=nowhere).session("https://crm.example.com").request("GET", "/")

    assert caught.value.code == "unreachable"


def test_a_name_without_addresses_is_tried_later(world: ExitStack) -> None:
    door = a_door(world, resolver=lambda *_args: [])

    with pytest.raises(TryLaterError):
        door.session("https://crm.example.com").request("GET", "/")


def short(caller: Caller) -> None:
    caller.send_response(200)
    caller.send_header("Content-Length", "100")
    caller.end_headers()
    caller.wfile.write(b"{}")
    caller.close_connection = True


def short_chunks(caller: Caller) -> None:
    caller.send_response(200)
    caller.send_header("Transfer-Encoding", "chunked")
    caller.end_headers()
    caller.wfile.write(b"64\r\n{}")
    caller.close_connection = True


@pytest.mark.parametrize("script", [hang_up, short, short_chunks])
def test_an_answer_cut_short_is_tried_later(world: ExitStack, script: Script) -> None:
    server = world.enter_context(serving(script))

    with pytest.raises(TryLaterError) as caught:
        a_door(world).session(server.url).request("POST", "/", json={})

    assert caught.value.code == "cut_short"
    assert len(server.seen) == 1


def test_broken_compression_is_tried_later(world: ExitStack) -> None:
    server = world.enter_context(serving(lambda c: c.answer(body=b"no gzip", Content_Encoding="gzip")))

    with pytest.raises(TryLaterError, match="compression"):
        a_door(world).session(server.url).request("POST", "/")


def test_no_request_inside_a_transaction(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    door = a_door(world, in_transaction=lambda: True)

    with pytest.raises(RuntimeError, match="transaction"):
        door.session(server.url).request("GET", "/")

    assert server.seen == []


# ---- trying again


@pytest.mark.parametrize("number", [502, 503, 504])
def test_a_get_is_tried_three_times(world: ExitStack, number: int) -> None:
    waits: list[float] = []
    server = world.enter_context(serving(status(number)))

    response = a_door(world, sleep=waits.append).session(server.url).request("GET", "/")

    assert response.status == number
    assert len(server.seen) == 3
    assert waits == [0.25, 0.5]


def test_a_get_recovers_from_a_cut(world: ExitStack) -> None:
    server = world.enter_context(serving(saying(hang_up, status(503), ok)))

    assert a_door(world).session(server.url).request("GET", "/").json() == {"ok": True}


@pytest.mark.parametrize("script", [hang_up, status(503)])
def test_a_write_is_sent_again_only_on_request(world: ExitStack, script: Script) -> None:
    first = world.enter_context(serving(saying(script, ok)))
    second = world.enter_context(serving(saying(script, ok)))
    door = a_door(world)

    try:
        unasked = door.session(first.url).request("POST", "/").status
    except TryLaterError:
        unasked = 0
    asked = door.session(second.url).request("POST", "/", retry=True).status

    assert unasked != 200
    assert (asked, len(first.seen), len(second.seen)) == (200, 1, 2)


@pytest.mark.parametrize("number", [400, 401, 404, 429, 500])
def test_other_refusals_go_to_the_adapter_at_once(world: ExitStack, number: int) -> None:
    server = world.enter_context(serving(status(number)))

    assert a_door(world).session(server.url).request("GET", "/", retry=True).status == number
    assert len(server.seen) == 1


def test_a_get_is_not_repeated_when_told_so(world: ExitStack) -> None:
    server = world.enter_context(serving(status(503)))

    a_door(world).session(server.url).request("GET", "/", retry=False)

    assert len(server.seen) == 1


def test_a_short_wait_that_was_asked_for_is_kept(world: ExitStack) -> None:
    waits: list[float] = []
    server = world.enter_context(serving(saying(status(503, Retry_After="3"), ok)))

    a_door(world, sleep=waits.append).session(server.url).request("GET", "/")

    assert waits == [3.0]


def test_a_long_wait_is_left_to_the_caller(world: ExitStack) -> None:
    server = world.enter_context(serving(status(503, Retry_After="120")))

    assert a_door(world).session(server.url).request("GET", "/").headers["Retry-After"] == "120"
    assert len(server.seen) == 1


# ---- addresses


def pointing_to(*addresses: str) -> Callable[..., list[Any]]:
    """A resolver; each address is one answer of its own, in turn, the last one for ever."""
    left = list(addresses)

    def resolve(_host: str, port: int, *_args: object) -> list[Any]:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [_answer(address, port)]

    return resolve


def _answer(address: str, port: int) -> Any:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (address, port))


PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "3fff::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_names_that_lead_to_private_addresses_are_refused(world: ExitStack, address: str) -> None:
    door = a_door(world, allowed_private=AllowList(), resolver=pointing_to(address))

    with pytest.raises(AddressError, match="not a public address"):
        door.session("https://crm.example.com").request("GET", "/", retry=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses())
def test_nothing_the_library_calls_private_is_public_to_us(address: Any) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast)


def test_one_private_address_among_public_ones_refuses_the_host(world: ExitStack) -> None:
    both = [_answer("93.184.216.34", 443), _answer("10.0.0.1", 443)]

    with pytest.raises(AddressError, match=r"10\.0\.0\.1"):
        a_door(world, resolver=lambda *_args: both).session("https://crm.example.com").request("GET", "/")


def test_the_connection_goes_to_the_very_address_that_was_checked(world: ExitStack) -> None:
    """The name changes its mind after the check: the second answer must not be asked for."""
    server = world.enter_context(serving(ok))
    asked: list[str] = []
    answers = pointing_to("127.0.0.1", "10.0.0.1")

    def rebinding(host: str, *rest: Any) -> list[Any]:
        asked.append(host)
        return answers(host, *rest)

    door = a_door(world, resolver=rebinding)
    response = door.session(f"http://rebind.example.com:{server.server_port}").request("GET", "/")

    assert response.status == 200
    assert asked == ["rebind.example.com"]
    assert server.seen[0].headers["Host"] == f"rebind.example.com:{server.server_port}"


def test_each_new_connection_is_checked_again(world: ExitStack) -> None:
    server = world.enter_context(serving(status(200, Connection="close")))
    door = a_door(world, resolver=pointing_to("127.0.0.1", "10.0.0.1"))
    session = door.session(f"http://rebind.example.com:{server.server_port}")
    session.request("GET", "/")

    with pytest.raises(AddressError):
        session.request("GET", "/")


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "localhost", "[::1]"])
def test_other_spellings_of_loopback_are_refused(world: ExitStack, host: str) -> None:
    with pytest.raises((AddressError, TryLaterError)) as caught:
        a_door(world, allowed_private=AllowList()).session(f"https://{host}:9").request("GET", "/")

    assert isinstance(caught.value, AddressError) or "name is not known" in str(caught.value)


def test_a_second_address_is_tried_when_the_first_is_silent(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[1]
    both = [_answer("127.0.0.1", dead), _answer("127.0.0.1", server.server_port)]

    response = (
        a_door(world, resolver=lambda *_args: both).session("http://two.example.com").request("GET", "/")
    )

    assert response.status == 200


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "allowed"),
    [
        ("twenty.internal", "twenty.internal", 3000, "10.0.0.1", True),
        ("Twenty.Internal", "twenty.internal.", 80, "10.0.0.1", True),
        ("twenty.internal", "www.twenty.internal", 80, "10.0.0.1", False),
        ("twenty.internal:3000", "twenty.internal", 3000, "10.0.0.1", True),
        ("twenty.internal:3000", "twenty.internal", 3001, "10.0.0.1", False),
        ("10.20.0.0/16", "anything.example.com", 443, "10.20.3.4", True),
        ("10.20.0.0/16", "anything.example.com", 443, "10.21.3.4", False),
        ("10.0.0.5", "crm.example.com", 443, "10.0.0.5", True),
        ("10.0.0.5:8443", "crm.example.com", 443, "10.0.0.5", False),
        ("[::1]:3000", "localhost", 3000, "::1", True),
        ("[::1]:3000", "localhost", 3001, "::1", False),
        ("::1", "localhost", 3001, "::1", True),
        ("fd00::/8", "crm.example.com", 443, "fd12::1", True),
        ("10.0.0.0/8", "crm.example.com", 443, "::ffff:10.0.0.1", False),
    ],
)
def test_the_allow_list_allows_what_it_names(
    entry: str, host: str, port: int, address: str, *, allowed: bool
) -> None:
    assert AllowList.of([entry]).allows(host, port, ipaddress.ip_address(address)) is allowed


@pytest.mark.parametrize("entry", ["", "10.0.0.0/99", "host:port", "two words", "a/b"])
def test_the_allow_list_refuses_what_it_cannot_read(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        AllowList.of([entry])


def test_plain_http_to_a_public_address_is_refused(world: ExitStack) -> None:
    door = a_door(world, resolver=pointing_to("93.184.216.34"))

    with pytest.raises(AddressError, match="takes https"):
        door.session("http://crm.example.com").request("GET", "/")


def test_check_says_so_without_connecting(world: ExitStack) -> None:
    door = a_door(world, resolver=pointing_to("93.184.216.34"))

    door.check("https://crm.example.com")
    a_door(world, resolver=pointing_to("93.184.216.34"), allow_http=True).check("http://crm.example.com")
    with pytest.raises(AddressError):
        door.check("http://crm.example.com")
    with pytest.raises(AddressError):
        a_door(world, resolver=pointing_to("10.0.0.1")).check("https://crm.example.com")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://crm.example.com",
        "file:///etc/passwd",
        "gopher://crm.example.com",
        "crm.example.com",
        "",
        "https://",
        "https://user@crm.example.com",
        "https://user:hunter2hunter2@crm.example.com",
        "https://crm.example.com:99999",
        "https://user:hunter2hunter2@[::1",
    ],
)
def test_addresses_of_another_kind_are_refused(world: ExitStack, url: str) -> None:
    with pytest.raises(AddressError) as caught:
        a_door(world).session(url)

    assert "hunter2" not in everything_said(caught.value)


def test_a_full_address_of_the_same_origin_is_followed(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    session = a_door(world).session(server.url + "/api")

    session.request("GET", server.url + "/elsewhere?page=2", params={"first": 5})

    assert server.seen[0].path == "/elsewhere?page=2&first=5"


def test_credentials_do_not_go_to_another_origin(world: ExitStack) -> None:
    other = world.enter_context(serving(ok))
    session = a_door(world).session("https://api.example.com", headers={"Authorization": "Bearer abc"})

    with pytest.raises(AddressError):
        session.request("GET", other.url + "/next")

    assert other.seen == []


# ---- secrets


def test_errors_do_not_repeat_queries_or_headers(world: ExitStack) -> None:
    server = world.enter_context(serving(hang_up))
    session = a_door(world).session(server.url, headers={"Authorization": "Bearer hunter2hunter2"})

    with pytest.raises(TryLaterError) as caught:
        session.request("GET", "/oauth", params={"code": "hunter2hunter2"})

    assert "hunter2" not in everything_said(caught.value)
    assert "/oauth" in str(caught.value)


@pytest.mark.parametrize("value", ["hunter2\n", "hunter2\r\nX: y", "hunter2’", " hunter2"])
def test_a_header_that_cannot_be_sent_is_not_repeated(world: ExitStack, value: str) -> None:
    with pytest.raises(RefusedError, match="Authorization") as caught:
        a_door(world).session("https://api.example.com", headers={"Authorization": value})

    assert "hunter2" not in everything_said(caught.value)


# ---- TLS


_USES = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
_SIGNING = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    encipher_only=False,
    decipher_only=False,
    **dict.fromkeys(_USES, False),
)


def a_certificate(folder: Path, name: str, *, days: int = 1) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_SIGNING, critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


def test_a_trusted_certificate_is_checked_against_the_name(world: ExitStack, tmp_path: Path) -> None:
    ca_file, tls = a_certificate(tmp_path, "crm.example.com")
    server = world.enter_context(serving(ok, tls))
    door = a_door(world, ca_file=str(ca_file), resolver=pointing_to("127.0.0.1"))

    assert door.session(f"https://crm.example.com:{server.server_port}").request("GET", "/").status == 200
    with pytest.raises(TryLaterError, match="Hostname mismatch") as caught:
        door.session(f"https://other.example.com:{server.server_port}").request("GET", "/")
    assert caught.value.code == "certificate"


def test_an_untrusted_certificate_is_told_from_an_outage(world: ExitStack, tmp_path: Path) -> None:
    _, tls = a_certificate(tmp_path, "crm.example.com")
    server = world.enter_context(serving(ok, tls))
    waits: list[float] = []
    door = a_door(world, resolver=pointing_to("127.0.0.1"), sleep=waits.append)

    with pytest.raises(TryLaterError, match=r"self.signed") as caught:
        door.session(f"https://crm.example.com:{server.server_port}").request("GET", "/")

    assert caught.value.code == "certificate"
    assert waits == []
    assert server.seen == []


def test_an_expired_certificate_is_named(world: ExitStack, tmp_path: Path) -> None:
    ca_file, tls = a_certificate(tmp_path, "crm.example.com", days=-1)
    server = world.enter_context(serving(ok, tls))
    door = a_door(world, ca_file=str(ca_file), resolver=pointing_to("127.0.0.1"))

    with pytest.raises(TryLaterError, match="expired"):
        door.session(f"https://crm.example.com:{server.server_port}").request("GET", "/")


def test_a_server_without_tls_is_told_from_a_certificate(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))

    with pytest.raises(TryLaterError) as caught:
        a_door(world).session(f"https://127.0.0.1:{server.server_port}").request("GET", "/")

    assert caught.value.code == "tls"


# ---- sessions of requests


def test_an_oauth_session_goes_through_the_door(world: ExitStack) -> None:
    token = b'{"access_token": "at", "token_type": "Bearer", "expires_in": 3600}'
    server = world.enter_context(serving(saying(lambda caller: caller.answer(body=token), ok)))
    oauth = world.enter_context(OAuth2Session("app", "secret"))
    a_door(world, correlation_id=lambda: "abc123").mount(oauth)

    oauth.fetch_token(server.url + "/token", code="the-code", grant_type="authorization_code")
    answer = oauth.get(server.url + "/me", params={"first": "1"})

    assert answer.json() == {"ok": True}
    assert server.seen[1].headers["Authorization"] == "Bearer at"
    assert server.seen[1].headers["User-Agent"] == "connector/test"
    assert server.seen[1].path == "/me?first=1"
    assert {seen.headers["X-Request-Id"] for seen in server.seen} == {"abc123"}


def a_mounted_session(world: ExitStack, **changed: Any) -> requests.Session:
    session = world.enter_context(requests.Session())
    a_door(world, **changed).mount(session)
    return session


def test_a_mounted_session_is_guarded(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))

    with pytest.raises(AddressError):
        a_mounted_session(world, allowed_private=AllowList()).post(server.url)


def test_a_mounted_session_has_no_other_way_out(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))
    session = world.enter_context(requests.Session())
    session.mount(server.url, requests.adapters.HTTPAdapter())
    a_door(world, allowed_private=AllowList()).mount(session)

    with pytest.raises(AddressError):
        session.get(server.url)


def test_a_mounted_session_follows_no_redirect(world: ExitStack) -> None:
    server = world.enter_context(serving(status(302, Location="/next")))

    answer = a_mounted_session(world).get(server.url)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/next")
    assert len(server.seen) == 1


def test_a_mounted_session_cannot_skip_verification(world: ExitStack, tmp_path: Path) -> None:
    _, tls = a_certificate(tmp_path, "crm.example.com")
    server = world.enter_context(serving(ok, tls))
    session = a_mounted_session(world, resolver=pointing_to("127.0.0.1"))

    with pytest.raises(TryLaterError) as caught:
        session.get(f"https://crm.example.com:{server.server_port}", verify=False)

    assert caught.value.code == "certificate"


def test_a_mounted_session_uses_no_proxy(world: ExitStack) -> None:
    server = world.enter_context(serving(ok))

    answer = a_mounted_session(world).get(server.url, proxies={"http": "http://10.0.0.1:3128"})

    assert answer.status_code == 200
