"""Ports that are not lost, and gunicorn on an inherited socket."""

from __future__ import annotations

import http.client
import select
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from watching import ENV, HERE, wait_for

from connector.cli.processes import Child, Supervisor, bound_socket, gunicorn_argv, http_healthy


def get(port: int, path: str = "/") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_the_preferred_port_if_it_is_free_and_another_one_if_not() -> None:
    with bound_socket(0) as first:
        port = first.getsockname()[1]
        with bound_socket(port) as second:
            assert second.getsockname()[1] not in (port, 0)
    with bound_socket(port) as again:
        assert again.getsockname() == ("127.0.0.1", port)


def test_a_port_taken_on_every_address_is_taken() -> None:
    with socket.create_server(("", 0)) as everywhere, bound_socket(everywhere.getsockname()[1]) as ours:
        assert ours.getsockname()[1] != everywhere.getsockname()[1]


def test_a_privileged_port_is_exchanged_for_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.create_server

    def refusing(address: tuple[str, int], **more: int) -> socket.socket:
        if address[1] == 1:
            raise PermissionError
        return real(address, **more)

    monkeypatch.setattr(socket, "create_server", refusing)
    with bound_socket(1) as ours:
        assert ours.getsockname()[1] > 1


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="only Linux keeps them for us")
def test_a_connection_that_says_nothing_keeps_no_thread_of_the_server_waiting() -> None:
    with bound_socket(0) as ours, socket.create_connection(ours.getsockname()) as silent:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.accept()

        silent.sendall(b"GET / HTTP/1.1\r\n")
        assert select.select([ours], [], [], 30) == ([ours], [], [])
        heard, _ = ours.accept()
        heard.close()


def get_in_the_end(port: int) -> bytes:
    """A process that is being killed may take a call and reset it; the next one is taken by its successor."""
    while True:
        try:
            return get(port)
        except ConnectionResetError:
            continue


def test_gunicorn_serves_with_eight_threads_and_comes_back_on_the_same_port(
    supervisor: Supervisor, tmp_path: Path, said: list[str]
) -> None:
    with bound_socket(0) as web, ThreadPoolExecutor(8) as callers:
        port = web.getsockname()[1]
        argv = gunicorn_argv("wsgi_sample:app", web.fileno(), access_log=True)
        healthy = http_healthy(port, "/")
        supervisor.start(Child("web", argv, cwd=HERE, healthy=healthy, pass_fds=(web.fileno(),)))
        # One process answers all eight, and none before the eighth has come.
        assert len(set(callers.map(lambda _: get(port, "/together"), range(8)))) == 1
        before = get(port)
        supervisor.kill("web")
        supervisor.run_until(lambda: "web" not in supervisor.pids())
        # Nobody serves just now; who calls meanwhile is answered as soon as somebody does.
        waiting = callers.submit(get_in_the_end, port)
        supervisor.run_until(waiting.done)
        assert waiting.result() != before
        assert said[0] == "web was ended by SIGKILL; it is started again in 0.2 s."
        log = (tmp_path / "logs/web.log").read_text()
        assert "GET /together" in log
        assert "ontrol socket" not in log


def test_a_connection_is_kept_for_the_next_request(supervisor: Supervisor, tmp_path: Path) -> None:
    with bound_socket(0) as web:
        port = web.getsockname()[1]
        argv = gunicorn_argv("wsgi_sample:app", web.fileno())
        healthy = http_healthy(port, "/")
        supervisor.start(Child("web", argv, cwd=HERE, healthy=healthy, pass_fds=(web.fileno(),)))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.connect()
        ours = connection.sock
        for _ in range(2):
            connection.request("GET", "/")
            connection.getresponse().read()
            assert connection.sock is ours
        connection.close()
    assert "GET /" not in (tmp_path / "logs/web.log").read_text()


SERVES = """
import wsgi_sample
from connector.cli.processes import bound_socket, serve
with bound_socket(0) as web:
    print(web.getsockname()[1], flush=True)
    serve(wsgi_sample.app, web.fileno())
"""


def test_an_application_that_exists_already_is_served_until_a_signal() -> None:
    argv = [sys.executable, "-c", SERVES]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(argv, env=ENV, cwd=HERE, stdout=pipe, stderr=pipe) as process,
        ThreadPoolExecutor(8) as callers,
    ):
        assert process.stdout
        assert process.stderr
        port = int(process.stdout.readline())
        wait_for(http_healthy(port, "/"))
        assert len(set(callers.map(lambda _: get(port, "/together"), range(8)))) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=8) == 0
        assert process.stderr.read() == b""


def test_nobody_there_is_not_healthy() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert not http_healthy(bound.getsockname()[1], "/")()
