"""E-mail over a real socket: what arrives, what is said when it does not, and what is never said."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.errors import TryLaterError
from connector.outbound.mail import Mailer
from tests.catching import MailCatcher, mail_caught
from tests.certificates import expired, good


@pytest.fixture
def server() -> Iterator[MailCatcher]:
    with mail_caught() as catcher:
        yield catcher


def a_mailer(port: int, **changed: object) -> Mailer:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "us@example.com",
        "timeout": 5.0,
    }
    return Mailer(**{**values, **changed})


def test_an_email_arrives_with_its_words(server: MailCatcher) -> None:
    a_mailer(server.port).send(["a@example.com", "b@example.com"], "道場: sync 7 failed", "Why.\nhttps://x/1")

    (mail,) = server.caught
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail["Subject"] == "道場: sync 7 failed"
    assert mail.get_content().strip() == "Why.\nhttps://x/1"


def test_a_name_with_a_line_break_makes_no_header_of_its_own(server: MailCatcher) -> None:
    a_mailer(server.port).send(["a@example.com"], "Acme\r\nBcc: everybody@example.com", "x")

    (mail,) = server.caught
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Acme Bcc: everybody@example.com"


def test_a_server_that_refuses_is_tried_later(server: MailCatcher) -> None:
    server.refuses = True

    with pytest.raises(TryLaterError) as refused:
        a_mailer(server.port).send(["a@example.com"], "x", "x")
    assert refused.value.code == "smtp"
    assert "no such mailbox" not in str(refused.value)


def test_a_server_that_cannot_encrypt_is_given_nothing(server: MailCatcher) -> None:
    mailer = a_mailer(server.port, security="starttls", username="us", password="hush-hush")

    with pytest.raises(TryLaterError) as refused:
        mailer.send(["a@example.com"], "x", "x")
    assert server.caught == []
    assert "hush-hush" not in str(refused.value) + repr(mailer)


# --- encrypted, and signed in


@pytest.fixture
def trusted(server: MailCatcher, tmp_path: Path) -> dict[str, object]:
    """The server encrypts and asks for a name and a password; how it is talked to."""
    server.tls, ca_file = good(tmp_path)
    server.account = ("us", "hush-hush")
    return {"security": "starttls", "username": "us", "password": "hush-hush", "ca_file": str(ca_file)}


def refusal(mailer: Mailer) -> str:
    with pytest.raises(TryLaterError) as refused:
        mailer.send(["a@example.com"], "x", "x")
    assert refused.value.code == "smtp"
    return str(refused.value)


def test_it_is_encrypted_before_anybody_signs_in(server: MailCatcher, trusted: dict[str, object]) -> None:
    a_mailer(server.port, **trusted).send(["a@example.com"], "Sync 7 failed", "Why.")

    assert [mail["Subject"] for mail in server.caught] == ["Sync 7 failed"]


def test_encrypted_from_the_start(server: MailCatcher, trusted: dict[str, object]) -> None:
    context, server.tls = server.tls, None
    assert context is not None
    server.socket = context.wrap_socket(server.socket, server_side=True)

    a_mailer(server.port, **{**trusted, "security": "tls"}).send(["a@example.com"], "x", "x")

    assert len(server.caught) == 1


def test_a_wrong_password_is_told_in_words_and_never_repeated(
    server: MailCatcher, trusted: dict[str, object]
) -> None:
    server.account = ("us", "another")

    told = refusal(a_mailer(server.port, **trusted))

    assert "does not take the name or the password" in told
    assert "hush-hush" not in told
    assert server.caught == []


def test_a_missing_password_is_told(server: MailCatcher, trusted: dict[str, object]) -> None:
    told = refusal(a_mailer(server.port, **{**trusted, "username": ""}))

    assert "does not let us send" in told
    assert server.caught == []


def test_an_expired_certificate_is_told_and_the_password_kept_back(
    server: MailCatcher, trusted: dict[str, object], tmp_path: Path
) -> None:
    server.tls = expired(tmp_path)

    told = refusal(a_mailer(server.port, **{**trusted, "ca_file": str(tmp_path / "expired.pem")}))

    assert "certificate has expired" in told
    assert server.caught == []


def test_a_certificate_of_nobody_we_trust_is_told(server: MailCatcher, trusted: dict[str, object]) -> None:
    assert "certificate" in refusal(a_mailer(server.port, **{**trusted, "ca_file": None}))
    assert server.caught == []


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    assert refusal(a_mailer(port)) == "The mail server cannot be reached."


def test_nothing_is_sent_inside_a_transaction(server: MailCatcher) -> None:
    with pytest.raises(RuntimeError):
        a_mailer(server.port, in_transaction=lambda: True).send(["a@example.com"], "x", "x")
    assert server.caught == []
