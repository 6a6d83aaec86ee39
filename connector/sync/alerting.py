"""Telling people what is wrong: incidents are found, kept, told once when they begin and once when they end.

A look compares how everything stands with the open incidents, and writes what follows in one transaction,
messages included. Sending comes after the commit: each message is claimed, sent, and settled, so a worker
that dies between may have one sent again, and none is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from connector.core.alerting import CLEARS_AFTER, Condition, Thresholds, changes, conditions, waits
from connector.errors import ConnectorError, RefusedError, TryLaterError, VaultError
from connector.ports import Clock
from connector.store import admins, alerts, workspaces
from connector.store.alerts import AlertSettings, Incident, Message, NewMessage
from connector.store.db import Database, Session
from connector.sync import alert_facts
from connector.vault import Vault

log = structlog.get_logger(__name__)

_CLAIM: Final = timedelta(minutes=5)
_KEPT: Final = timedelta(days=90)
_NOTED_AGAIN: Final = CLEARS_AFTER / 3
"""How old the note may be that an incident goes on."""
_BEGUN: Final = "Sending was begun; whether it got through is not known yet."
_TWICE: Final = "The answer to an earlier try was lost, so this may have arrived twice."
_AGAIN: Final = "Sending was begun once more after an answer was lost; it is not begun a third time."
_LOST: Final = "The answer was lost: it may have got through."
_GIVEN_UP: Final = "The answer was lost twice, so it may have arrived once or twice. It is not sent again."


class Mail(Protocol):
    """Sends e-mail."""

    def send(
        self, recipients: Sequence[str], subject: str, text: str, *, begins: Callable[[], None] = ...
    ) -> None:
        """``begins`` is called right before it is handed over. Raises TryLaterError (``smtp_unanswered``:
        it may have been taken)."""
        ...


@dataclass(frozen=True, slots=True)
class AlertDesk:
    """What is told with. ``mail`` is None where the operator named no mail server; ``post`` sends a message
    to the address of a webhook and gives the status of the answer."""

    database: Database
    vault: Vault
    clock: Clock
    mail: Mail | None
    post: Callable[[str, dict[str, str]], int]
    public_url: str


# --- looking


def look(desk: AlertDesk) -> None:
    """Find what began and what is over in every workspace, then send what is due."""
    with desk.database.reading() as session:
        ids = [one.id for one in workspaces.every(session)]
    for workspace_id in ids:
        _look_at(desk, workspace_id)
    send_due(desk)


def _look_at(desk: AlertDesk, workspace_id: str) -> None:
    """Mostly nothing changed, and then nothing is written."""
    now = desk.clock()
    with desk.database.reading() as session:
        wanted = alerts.settings(session, workspace_id)
        facts = alert_facts.gather(session, workspace_id, now)
        open_ = alerts.open_incidents(session, workspace_id)
        untold = _untold(desk, session, wanted, open_, now)
    wrong = conditions(facts, Thresholds.of(wanted.thresholds), now)
    if not untold and not _is_news(wrong, open_, now):
        return
    with desk.database.transaction() as session:
        opened = {one.key: one.seen_at for one in alerts.open_incidents(session, workspace_id)}
        change = changes(wrong, opened, now)
        alerts.open_(session, workspace_id, change.opened, now)
        alerts.see(session, workspace_id, change.seen, now)
        over = alerts.clear(session, workspace_id, change.cleared, now)
        _tell_of_the_end(session, workspace_id, over, now)
        rest = _untold(desk, session, wanted, alerts.open_incidents(session, workspace_id), now)
        alerts.add(session, workspace_id, rest, now)
        alerts.prune(session, workspace_id, now - _KEPT)


def _is_news(wrong: Sequence[Condition], open_: Sequence[Incident], now: datetime) -> bool:
    """Whether incidents begin or end, or it is time to note that they go on."""
    change = changes(wrong, {one.key: one.seen_at for one in open_}, now)
    noted = (one.key in change.seen and now - one.seen_at >= _NOTED_AGAIN for one in open_)
    return bool(change.opened or change.cleared) or any(noted)


def _untold(
    desk: AlertDesk, session: Session, wanted: AlertSettings, open_: Sequence[Incident], now: datetime
) -> list[NewMessage]:
    """Of every incident that is open, the message that nobody was sent. Each is told once: what began while
    alerts were muted comes later."""
    if wanted.muted_until is not None and wanted.muted_until > now:
        return []
    told = alerts.told_of(session, wanted.workspace_id, [one.id for one in open_])
    wanting = [one for one in open_ if one.kind not in wanted.off]
    to = channels(desk, session, wanted) if wanting else []
    return [_opened(desk, one, way) for one in wanting for way in to if (one.id, way) not in told]


def _tell_of_the_end(session: Session, workspace_id: str, over: list[int], now: datetime) -> None:
    """To whoever was told of the beginning."""
    alerts.drop(session, workspace_id, over)
    told = [
        NewMessage(one.incident_id, "cleared", one.channel, f"Over: {one.title}", "It is well again.")
        for one in alerts.told(session, workspace_id, over)
    ]
    alerts.add(session, workspace_id, told, now)


def _opened(desk: AlertDesk, one: Incident, channel: str) -> NewMessage:
    return NewMessage(one.id, "opened", channel, one.title, f"{one.text}\n{desk.public_url}{one.path}")


def channels(desk: AlertDesk, session: Session, wanted: AlertSettings) -> list[str]:
    """The ways that lead to somebody."""
    by_mail = desk.mail is not None and recipients(session, wanted)
    return [*(["email"] if by_mail else []), *(["webhook"] if wanted.webhook_sealed else [])]


def recipients(session: Session, wanted: AlertSettings) -> list[str]:
    """Those who were named, else everybody who signed in with the CRM and may still."""
    if wanted.recipients is not None:
        return wanted.recipients
    people = admins.of_workspace(session, wanted.workspace_id)
    return sorted({one.email for one in people if one.email and one.removed_at is None})


# --- sending


def send_due(desk: AlertDesk) -> None:
    """Send what waits."""
    with desk.database.reading() as session:
        found = alerts.due(session, desk.clock())
    for one in found:
        _send(desk, one)


def _send(desk: AlertDesk, one: Message) -> str:
    """What stood in the way; empty: it is sent, or another worker has it."""
    with desk.database.transaction() as session:
        if not alerts.claim(session, one, desk.clock() + _CLAIM):
            return ""
        wanted = alerts.settings(session, one.workspace_id)
        to = recipients(session, wanted)
        if one.error == _AGAIN:
            alerts.settle(session, one.workspace_id, one.id, state="failed", error=_GIVEN_UP)
            return _GIVEN_UP
    try:
        _hand_over(desk, one, wanted, to)
    except (ConnectorError, VaultError) as error:
        log.warning("an alert was not sent", channel=one.channel, code=error.code)
        return _put_off(desk, one, error)
    with desk.database.transaction() as session:
        doubt = _TWICE if _is_in_doubt(one) else None
        alerts.settle(session, one.workspace_id, one.id, state="sent", sent_at=desk.clock(), error=doubt)
    return ""


def _is_in_doubt(one: Message) -> bool:
    """Whether an earlier try may have got through: whoever made it did not live to see, or had no answer."""
    return one.error == _BEGUN or (one.error or "").startswith(_LOST)


def _hand_over(desk: AlertDesk, one: Message, wanted: AlertSettings, to: Sequence[str]) -> None:
    if one.channel == "email":
        if desk.mail is None or not to:
            raise RefusedError("There is no mail server, or nobody to send to.", code="no_alert_channel")
        desk.mail.send(to, one.title, one.text, begins=lambda: _note_begun(desk, one))
        return
    if wanted.webhook_sealed is None:
        raise RefusedError("The webhook was taken away.", code="no_alert_channel")
    address = desk.vault.open(wanted.webhook_sealed, bound_to=binding(one.workspace_id))
    _note_begun(desk, one)
    status = desk.post(address, {"text": f"*{_slack(one.title)}*\n{_slack(one.text)}"})
    if not 200 <= status < 300:
        raise TryLaterError(f"The webhook answered {status}.", code="alert_webhook")


def _note_begun(desk: AlertDesk, one: Message) -> None:
    """Right before it leaves: a sender that dies earlier has sent nothing, and nobody doubts it."""
    with desk.database.transaction() as session:
        begun = _AGAIN if _is_in_doubt(one) else _BEGUN
        alerts.settle(session, one.workspace_id, one.id, error=begun)


def _slack(text: str) -> str:
    """Slack takes these three for markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _put_off(desk: AlertDesk, one: Message, error: ConnectorError) -> str:
    """Try it again later, but for one that may have got through twice; what stood in the way."""
    lost, tries = error.code == "smtp_unanswered", one.tries + 1
    told = (_GIVEN_UP if _is_in_doubt(one) else _LOST) if lost else _words(error)
    wait = waits(tries) if isinstance(error, TryLaterError) and one.what != "test" else None
    # That an earlier try may have got through is not forgotten for one that surely did not.
    kept = f"{_LOST} Then: {told}" if _is_in_doubt(one) and not lost else told
    changed: dict[str, Any] = {"tries": tries, "error": kept}
    if wait is None or told == _GIVEN_UP:
        changed |= {"state": "failed"}
    else:
        changed |= {"due_at": desk.clock() + wait}
    with desk.database.transaction() as session:
        alerts.settle(session, one.workspace_id, one.id, **changed)
    return told


def _words(error: ConnectorError) -> str:
    """Words of our own only: those of others may show the address, which is a secret."""
    own = error.code in ("smtp", "smtp_unanswered", "alert_webhook", "no_alert_channel")
    return str(error) if own else f"It could not be reached ({error.code})."


# --- how somebody wants to be told


def test(desk: AlertDesk, workspace_id: str) -> dict[str, str]:
    """Send a message on every way now: way → what stood in its way, or nothing.

    Raises RefusedError where there is none.
    """
    now = desk.clock()
    with desk.database.transaction() as session:
        to = channels(desk, session, alerts.settings(session, workspace_id))
        text = f"If you read this, alerts of this connector reach you.\n{desk.public_url}/alerts"
        alerts.add(
            session,
            workspace_id,
            [NewMessage(None, "test", one, "A test of your alerts", text) for one in to],
            now,
        )
        made = [one for one in alerts.page(session, workspace_id, limit=4).items if one.what == "test"]
    if not to:
        raise RefusedError(
            "There is nobody to tell.",
            code="no_alert_channel",
            remedy="Enter a webhook, or recipients where the operator has named a mail server.",
        )
    return {one.channel: _send(desk, one) for one in made if one.state == "waiting"}


def set_webhook(
    desk: AlertDesk, workspace_id: str, address: str | None, check: Callable[[str], None]
) -> None:
    """Keep the sealed address of a webhook; None takes it away. ``check`` raises AddressError."""
    sealed = None
    if address:
        check(address)
        sealed = desk.vault.seal(address, bound_to=binding(workspace_id))
    with desk.database.transaction() as session:
        alerts.keep_settings(session, workspace_id, webhook_sealed=sealed)


def mute(desk: AlertDesk, workspace_id: str, hours: int) -> datetime | None:
    """Send nothing for so long; 0: send again."""
    until = desk.clock() + timedelta(hours=hours) if hours else None
    with desk.database.transaction() as session:
        alerts.keep_settings(session, workspace_id, muted_until=until)
    return until


def binding(workspace_id: str) -> str:
    """What a sealed address belongs to."""
    return f"alert-webhook:{workspace_id}"
