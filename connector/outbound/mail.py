"""E-mail out, over the operator's SMTP server."""

from __future__ import annotations

import smtplib
import socket
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

    def send(
        self, recipients: Sequence[str], subject: str, text: str, *, begins: Callable[[], None] = lambda: None
    ) -> None:
        """Hand one e-mail over; ``begins`` is called once the server listens, before anything is sent.

        Raises TryLaterError: code ``smtp`` where it was not taken, and where nobody
        knows ``smtp_unanswered``; never in the server's own words, which may repeat what was sent to it.
        """
        if self.in_transaction():
            raise RuntimeError("an e-mail was to be sent inside a transaction")
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(recipients)
        message["Subject"] = " ".join(subject.split())[:_LONGEST_SUBJECT]
        message.set_content(text)
        handed = False
        try:
            with self._connected() as server:
                if self.username:
                    server.login(self.username, self.password)
                begins()
                handed = True
                server.send_message(message, self.sender, list(recipients))
        except (smtplib.SMTPException, OSError) as error:
            unknown = handed and not isinstance(error, _SAID_NO)
            raise TryLaterError(_told(error), code="smtp_unanswered" if unknown else "smtp") from None

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


_SAID_NO = (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException, smtplib.SMTPNotSupportedError)
"""The server's own answers: it has not taken the e-mail."""

_IN_WORDS: Sequence[tuple[type[Exception], str]] = (
    (smtplib.SMTPAuthenticationError, "does not take the name or the password that it was given"),
    (smtplib.SMTPNotSupportedError, "cannot encrypt the connection, or asks for no sign-in"),
    (smtplib.SMTPRecipientsRefused, "knows none of the recipients"),
    (smtplib.SMTPSenderRefused, "does not let us send under the address that we use"),
    (smtplib.SMTPResponseException, "did not take the e-mail"),
    (smtplib.SMTPException, "broke off before it had taken the e-mail"),
    (socket.gaierror, "is not found under its name"),
    (TimeoutError, "does not answer"),
    (ssl.SSLError, "speaks another kind of encryption than it is set to"),
    (OSError, "cannot be reached"),
)


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of the mail server is not to be trusted: {error.verify_message}."
    told = next(words for kind, words in _IN_WORDS if isinstance(error, kind))
    code = getattr(error, "smtp_code", "")
    return f"The mail server {told}{f' ({code})' if code else ''}."
