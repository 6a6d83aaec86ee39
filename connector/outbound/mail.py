"""E-mail out, over the operator's SMTP server."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage

from connector.errors import TryLaterError

_LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Mailer:
    """``security`` is starttls, tls or none. ``in_transaction`` is asked before each: True is a bug."""

    host: str
    port: int
    security: str
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 10.0
    ca_file: str | None = None
    in_transaction: Callable[[], bool] = lambda: False

    def send(self, recipients: Sequence[str], subject: str, text: str) -> None:
        """Hand one e-mail over. Raises TryLaterError (code ``smtp``); never in the server's own words, which
        may repeat what was sent to it."""
        if self.in_transaction():
            raise RuntimeError("an e-mail was to be sent inside a transaction")
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(recipients)
        message["Subject"] = " ".join(subject.split())[:_LONGEST_SUBJECT]
        message.set_content(text)
        try:
            with self._connected() as server:
                if self.username:
                    server.login(self.username, self.password)
                server.send_message(message, self.sender, list(recipients))
        except (smtplib.SMTPException, OSError) as error:
            code = getattr(error, "smtp_code", "")
            told = f"The mail server did not take the e-mail ({type(error).__name__} {code}".rstrip() + ")."
            raise TryLaterError(told, code="smtp") from None

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=self._context())
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        if self.security == "starttls":
            try:
                server.starttls(context=self._context())
            except BaseException:
                server.close()
                raise
        return server

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context
