"""E-mail over a real socket: what arrives, what is said when it does not, and what is never said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.errors import TryLaterError
from connector.outbound.mail import Mailer
from tests.catching import MailCatcher, mail_caught


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


def test_nothing_is_sent_inside_a_transaction(server: MailCatcher) -> None:
    with pytest.raises(RuntimeError):
        a_mailer(server.port, in_transaction=lambda: True).send(["a@example.com"], "x", "x")
    assert server.caught == []
