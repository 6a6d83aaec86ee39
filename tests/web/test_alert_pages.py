"""The page of alerts: what is wrong now, whom to tell, and what was sent; an address is never shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import HOSTILE, Desk, desk
from entering import NOON, send

from connector.core.alerting import Condition, Kind, Thresholds
from connector.store import alerts
from connector.store.alerts import AlertSettings, NewMessage
from connector.sync import alerting

SECRET = "http://127.0.0.1:9/services/T0/B0/very-secret"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def console(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as opened:
        yield opened


def kept(console: Desk) -> AlertSettings:
    with console.door.parts.database.reading() as session:
        return alerts.settings(session, console.workspace.id)


def something_wrong(console: Desk) -> None:
    wrong = Condition(Kind.EVENTS_PARKED, "c1", f"{HOSTILE}: events are parked", "3 waiting.", "/events")
    with console.door.parts.database.transaction() as session:
        alerts.open_(session, console.workspace.id, [wrong], NOON)
        (one,) = alerts.open_incidents(session, console.workspace.id)
        told = NewMessage(one.id, "opened", "webhook", one.title, one.text)
        alerts.add(session, console.workspace.id, [told], NOON)


def for_pictures(console: Desk) -> dict[str, str]:
    """What a look at the page needs."""
    something_wrong(console)
    return {"alerts": "/alerts"}


def form(**changed: object) -> dict[str, object]:
    numbers = {name: getattr(Thresholds(), name) for name in Thresholds.__slots__}
    return {"recipients": "", "told": [kind.value for kind in Kind], **numbers, **changed}


def test_everything_is_on_by_default(console: Desk) -> None:
    page = console.page("/alerts")

    assert page.count(" checked") == len(Kind)
    assert "Nobody is told yet" in page
    assert "Nothing was sent yet" in page


def test_what_is_wrong_now_stands_on_the_page(console: Desk) -> None:
    something_wrong(console)

    page = console.page("/alerts")

    assert "events are parked" in page
    assert HOSTILE not in page
    assert "Waiting" in page


def test_recipients_kinds_and_thresholds_are_kept(console: Desk) -> None:
    send(
        console.browser,
        "/alerts",
        **form(recipients="a@example.com; b@example.com", told=["run_failed"], parked="12"),
    )

    found = kept(console)
    assert found.recipients == ["a@example.com", "b@example.com"]
    assert set(found.off) == {kind.value for kind in Kind} - {"run_failed"}
    assert Thresholds.of(found.thresholds).parked == 12


@pytest.mark.parametrize("typed", ["nobody", "a@example.com, b", "a@example.com\nBcc: x@example.com"])
def test_what_is_no_address_changes_nothing(console: Desk, typed: str) -> None:
    send(console.browser, "/alerts", **form(recipients=typed))

    assert kept(console) == AlertSettings(console.workspace.id)
    assert "no e-mail address" in console.page("/alerts")


@pytest.mark.parametrize("typed", ["0", "-3", "many", "²", "9" * 400])
def test_a_number_that_makes_no_sense_is_the_default(console: Desk, typed: str) -> None:
    send(console.browser, "/alerts", **form(parked=typed))

    assert Thresholds.of(kept(console).thresholds) == Thresholds()


def test_a_webhook_is_kept_sealed_and_taken_away(console: Desk) -> None:
    send(console.browser, "/alerts/webhook", webhook="https://93.184.215.14/services/very-secret")
    page = console.page("/alerts")

    assert kept(console).webhook_sealed is not None
    assert "very-secret" not in page + str(kept(console).webhook_sealed)

    send(console.browser, "/alerts/webhook", webhook="")

    assert kept(console).webhook_sealed is None


def test_a_private_address_is_refused(console: Desk) -> None:
    send(console.browser, "/alerts/webhook", webhook="http://10.0.0.1/x")

    assert kept(console).webhook_sealed is None
    assert "not connected to" in console.page("/alerts")


def test_alerts_are_muted_and_not_any_more(console: Desk) -> None:
    send(console.browser, "/alerts/mute", hours="8")
    assert kept(console).muted_until is not None
    assert "Nothing is sent until" in console.page("/alerts")

    send(console.browser, "/alerts/mute", hours="0")

    assert kept(console).muted_until is None


def test_the_page_says_that_a_test_did_not_get_through(console: Desk) -> None:
    parts = console.door.parts
    alerting.set_webhook(parts.alerts, console.workspace.id, SECRET, lambda _address: None)

    send(console.browser, "/alerts/test")
    page = console.page("/alerts")

    assert "did not get through" in page
    assert "very-secret" not in page
