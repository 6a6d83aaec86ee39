"""Log lines: their form, and that no secret gets into them."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from connector import logs

Lines = Callable[[], list[dict[str, Any]]]
SECRET = "hunter2hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.hunter2hunter2"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    logs.unbind_correlation()


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("info", "auto", stream)
    return stream


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_are_json_where_nobody_watches(lines: Lines) -> None:
    structlog.get_logger("connector.sync").info("run finished", records=3, who="Zoë")

    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == ("run finished", "info", "connector.sync")
    assert (line["records"], line["who"]) == (3, "Zoë")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])


def test_lines_are_human_on_a_terminal() -> None:
    terminal = Terminal()
    logs.configure("info", "auto", terminal)

    structlog.get_logger().info("run finished", records=3)

    assert "run finished" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_the_form_can_be_forced() -> None:
    terminal, file = Terminal(), io.StringIO()
    logs.configure("info", "json", terminal)
    structlog.get_logger().info("one")
    logs.configure("info", "human", file)
    structlog.get_logger().info("two")

    assert json.loads(terminal.getvalue())["event"] == "one"
    assert "two" in file.getvalue()
    assert not file.getvalue().startswith("{")
    assert "\x1b[" not in file.getvalue()


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")

    structlog.get_logger().info("run finished")

    assert capsys.readouterr().out == ""


def test_the_level_is_kept(lines: Lines) -> None:
    structlog.get_logger().debug("hidden")
    logging.getLogger("rq.worker").debug("hidden too")

    assert lines() == []


def test_configuring_twice_writes_once(stream: io.StringIO, lines: Lines) -> None:
    logs.configure("info", "json", stream)

    structlog.get_logger().info("once")

    assert len(lines()) == 1


@pytest.mark.parametrize("name", ["werkzeug", "gunicorn.error", "rq.worker", "alembic.runtime", "urllib3.x"])
def test_library_lines_take_the_same_road(lines: Lines, name: str) -> None:
    logging.getLogger(name).warning("took %s s, token=%s", 3, SECRET, extra={"api_key": SECRET, "pid": 5})

    (line,) = lines()
    assert (line["event"], line["logger"]) == ("took 3 s, token=***", name)
    assert (line["api_key"], line["pid"], line["level"]) == ("***", 5, "warning")


def test_a_handler_a_library_put_up_is_taken_over() -> None:
    own = logging.StreamHandler(io.StringIO())
    logger = logging.getLogger("gunicorn.error")
    logger.addHandler(own)
    logger.propagate = False

    logs.configure("info", "json", io.StringIO())

    assert (logger.handlers, logger.propagate) == ([], True)


def test_addresses_of_requests_are_not_logged_at_debug() -> None:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)

    logging.getLogger("urllib3.connectionpool").debug("GET /callback?x=%s", SECRET)

    assert stream.getvalue() == ""


def test_the_correlation_id_is_on_every_line(lines: Lines) -> None:
    correlation_id = logs.new_correlation_id()
    logs.bind_correlation(correlation_id)
    structlog.get_logger().info("ours")
    logging.getLogger("rq.scheduler").info("theirs")
    other = threading.Thread(target=lambda: structlog.get_logger().info("another thread"))
    other.start()
    other.join()
    logs.unbind_correlation()
    structlog.get_logger().info("after")

    assert uuid.UUID(hex=correlation_id)
    assert [line.get("correlation_id") for line in lines()] == [correlation_id, correlation_id, None, None]


def test_the_correlation_id_can_be_asked_for() -> None:
    assert logs.current_correlation_id() is None
    logs.bind_correlation("abc")

    assert logs.current_correlation_id() == "abc"


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "refreshToken",
        "SECRET_KEY",
        "client_secret",
        "password",
        "Authorization",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "Set-Cookie",
        "code_verifier",
        "token_encryption_keys",
    ],
)
def test_values_under_a_secret_name_are_masked(stream: io.StringIO, name: str) -> None:
    structlog.get_logger().info("x", **{name: "plain"}, inner={"deep": [{name: ["plain", b"plain"]}]})

    assert "plain" not in stream.getvalue()
    assert "***" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}",
        f"token was {JWT}",
        f"signed with ws_{SECRET}",
        f"key apik_{SECRET} refused",
        f"got whop_at_{SECRET} and whop_rt_{SECRET}",
        f"GET /oauth/callback?code={SECRET}&state=x",
        f"POST grant_type=refresh_token&refresh_token={SECRET}",
        f'{{"access_token": "{SECRET}"}}',
        f"{{'client_secret': '{SECRET}'}}",
        f'quoted: {{\\"api_key\\":\\"{SECRET}\\"}}',
        f"connecting to postgresql://user:{SECRET}@db/name",
        f"connecting to redis://:{SECRET}@cache/0",
    ],
)
def test_what_looks_like_a_secret_is_masked(stream: io.StringIO, text: str) -> None:
    class Holder:
        def __repr__(self) -> str:
            return text

    structlog.get_logger().info(text, detail=text, raw=text.encode(), listed=[text], held=Holder())

    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("***") >= 5


@pytest.mark.parametrize("fmt", ["json", "human"])
def test_tracebacks_are_masked_too(fmt: str) -> None:
    stream = io.StringIO()
    logs.configure("info", fmt, stream)
    api_key = SECRET
    try:
        raise ValueError(f"refused: Bearer {api_key}")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("rq.worker").exception("failed")

    assert stream.getvalue().count("refused: Bearer ***") == 2
    assert SECRET not in stream.getvalue()


def test_harmless_values_stay_readable(lines: Lines) -> None:
    structlog.get_logger().info(
        "asked https://crm.example.com:443/rest?first=5",
        tokens_left=5,
        token_expires_at="2026-01-01T00:00:00Z",
        code="unreachable",
        basic="basic plan",
        ratio=0.5,
        nothing=None,
        secret=True,
    )

    (line,) = lines()
    assert line["event"] == "asked https://crm.example.com:443/rest?first=5"
    assert (line["tokens_left"], line["token_expires_at"]) == (5, "2026-01-01T00:00:00Z")
    assert (line["code"], line["basic"], line["ratio"]) == ("unreachable", "basic plan", 0.5)
    assert line["nothing"] is None
    assert line["secret"] is True
