"""One-time purchases: cancelled once, seconds after they were paid; nothing else ever is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from automating import (
    NAME,
    act,
    buys,
    cancels,
    desk_of,
    every,
    hear,
    plan_of,
    status_of,
    switch_on,
    the_act,
)
from events import a_body, events
from happening import happen
from scene import NOON, Scene, disconnect, one

from connector.errors import RefusedError
from connector.store import alerts, audit, connections, inbox
from connector.sync import acting, alerting, steering, switching
from tests.catching import MailCatcher, mail_caught


@pytest.fixture
def mails() -> Iterator[MailCatcher]:
    with mail_caught() as catcher:
        yield catcher


@pytest.fixture
def on(scene: Scene) -> Scene:
    """The automation is on for a plan that is bought once."""
    switch_on(scene)
    scene.clock.advance(1)
    return scene


def journal(scene: Scene) -> str:
    return "\n".join(text for _, text in the_act(scene).journal)


# --- what it does


def test_a_one_time_purchase_is_cancelled_five_seconds_after_it_was_paid(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)

    waits = the_act(on)
    received = next(event for event in events(on) if event.id == waits.event).received_at
    assert (waits.due_at - received).total_seconds() == 5
    on.clock.now = waits.due_at
    assert act(on, -0.1) == 0
    assert status_of(on, bought.membership) == "completed"
    assert act(on, 0.1) == 1
    assert status_of(on, bought.membership) == "canceled"
    found = the_act(on)
    assert (found.state, found.membership_id, found.source_id) == ("done", bought.membership, bought.payment)
    assert found.outcome == "Cancelled on Whop."


def test_the_crm_hears_of_it_as_of_any_other_end(on: Scene) -> None:
    on.sync()
    bought = buys(on)
    hear(on, *bought.events)
    act(on)
    ended = one(on.records("memberships"), id=bought.membership)
    later = {**ended, "updated_at": "2026-11-20T12:01:00.000Z"}
    hear(on, a_body(on, "membership.deactivated", later))

    assert on.deal_of(bought.membership)["whopMembershipStatus"] == "CANCELLED"


def test_events_that_come_three_times_make_one_act(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events, times=3)
    act(on)
    act(on, 600)

    assert len(every(on)) == 1
    assert cancels(on) == 1


def test_a_crm_that_is_down_holds_nothing_up(on: Scene) -> None:
    on.twenty.dial("POST /graphql", {"status": 500, "body": "down"}, times=None)
    bought = buys(on)
    hear(on, *bought.events)
    act(on)

    assert status_of(on, bought.membership) == "canceled"
    assert {event.state for event in events(on)} == {"pending"}


def test_it_is_told_in_the_audit_log_with_payment_and_membership(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    act(on)

    assert on.workspace is not None
    with on.parts.database.reading() as session:
        told = [one for one in audit.shown(session, on.workspace.id, "nobody") if one.what == "act_done"]
    assert [one.about["payment"] for one in told] == [bought.payment]
    assert told[0].about["membership"] == bought.membership


def test_the_journal_tells_every_step_in_order(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    act(on)

    steps = [text.split(" ")[0] for _, text in the_act(on).journal]
    assert steps == ["Set", "The", "Asking", "Cancelled"]
    moments = [at for at, _ in the_act(on).journal]
    assert moments == sorted(moments)


# --- what it never does


def test_nothing_happens_while_it_is_off(scene: Scene) -> None:
    bought = buys(scene)
    hear(scene, *bought.events)
    act(scene)

    assert (every(scene), status_of(scene, bought.membership)) == ([], "completed")


def test_what_was_paid_before_it_was_switched_on_is_left(scene: Scene) -> None:
    bought = buys(scene)
    scene.clock.advance(60)
    switch_on(scene)
    hear(scene, *bought.events)
    act(scene)

    assert (every(scene), cancels(scene)) == ([], 0)


def test_a_full_sync_sets_nothing_off(on: Scene) -> None:
    buys(on)
    on.sync()
    act(on)

    assert every(on) == []


def test_events_that_somebody_has_taken_again_set_nothing_off(scene: Scene) -> None:
    bought = buys(scene)
    hear(scene, *bought.events)
    switch_on(scene)
    with scene.parts.database.transaction() as session:
        ids = [event.id for event in events(scene) if event.id]
        inbox.replay(session, scene.connection.workspace_id, ids, scene.clock(), quiet=True)
    hear(scene)
    act(scene)

    assert every(scene) == []


@pytest.mark.parametrize("status", ["active", "completed"])
def test_a_recurring_plan_is_never_cancelled_even_when_it_was_ticked(scene: Scene, status: str) -> None:
    monthly = plan_of(scene, "renewal")
    switch_on(scene, monthly)
    bought = buys(scene, plan_id=monthly, status=status)
    hear(scene, *bought.events)
    act(scene)

    assert status_of(scene, bought.membership) == status
    assert the_act(scene).state == "skipped"
    assert "renews" in (the_act(scene).outcome or "")


def test_a_plan_that_was_made_recurring_meanwhile_is_left(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.change("plans", plan_of(on), plan_type="renewal", billing_period=30)
    act(on)

    assert status_of(on, bought.membership) == "completed"


def test_a_plan_that_is_not_ticked_is_left(on: Scene) -> None:
    other = next(
        plan["id"]
        for plan in on.records("plans")
        if plan["plan_type"] == "one_time" and plan["id"] != plan_of(on)
    )
    bought = buys(on, plan_id=other)
    hear(on, *bought.events)
    act(on)

    assert (every(on), cancels(on)) == ([], 0)


def test_a_payment_that_was_taken_back_meanwhile_is_left(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.change("payments", bought.payment, status="void")
    act(on)

    assert (the_act(on).state, status_of(on, bought.membership)) == ("skipped", "completed")


def test_a_membership_that_has_ended_already_is_not_cancelled_again(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    happen(on, "cancel", bought.membership)
    act(on)

    assert cancels(on) == 0
    assert the_act(on).outcome == "It had ended already."


def test_what_waits_is_dropped_when_it_is_switched_off(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    dropped = switching.switch_off(desk_of(on), on.connection, NAME)
    switch_on(on)
    act(on)

    assert dropped == 1
    assert (the_act(on).state, cancels(on)) == ("skipped", 0)


def test_a_paused_connection_keeps_its_acts_waiting(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    steering.pause(on.tools, on.connection.workspace_id, on.connection.id)
    assert act(on, 600) == 0
    steering.resume(on.tools, on.connection.workspace_id, on.connection.id)

    assert act(on, 0) == 1
    assert status_of(on, bought.membership) == "canceled"


# --- which payment, which membership


def test_a_payment_that_names_no_membership_is_matched_by_what_the_event_told(on: Scene) -> None:
    bought = buys(on)
    on.change("payments", bought.payment, membership_id=None)
    hear(on, *bought.events)
    act(on)

    assert status_of(on, bought.membership) == "canceled"
    assert "The event names the membership." in journal(on)


def test_a_payment_that_leads_to_none_is_matched_by_the_newest_pending_one_of_buyer_and_plan(
    on: Scene,
) -> None:
    bought = buys(on)
    paid = bought.paid["data"]
    pending = on.whop.ask(
        "POST",
        "/records/payments",
        {
            "membership_id": bought.membership,
            "status": "pending",
            "plan_id": paid["plan_id"],
            "user": paid["user"],
            "created_at": "2026-11-20T12:00:05.000Z",
        },
    )
    on.change("payments", bought.payment, membership_id=None)
    told = {**bought.paid, "data": {**paid, "membership_id": None}}
    hear(on, told)
    act(on)

    assert pending["id"] in journal(on)
    assert status_of(on, bought.membership) == "canceled"


def test_a_payment_that_leads_nowhere_is_left_to_a_person(on: Scene) -> None:
    bought = buys(on)
    on.change("payments", bought.payment, membership_id=None)
    hear(on, {**bought.paid, "data": {**bought.paid["data"], "membership_id": None}})
    for seconds in (6, 11, 31, 61):
        act(on, seconds)

    assert (the_act(on).state, cancels(on)) == ("failed", 0)
    assert the_act(on).error["code"] == "act_unmatched"


# --- what stands in the way


def test_a_call_is_sent_again_after_one_two_and_four_seconds(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.whop.dial("POST .*/cancel", {"status": 502}, times=3)
    began = on.clock.now
    act(on)

    assert (cancels(on), status_of(on, bought.membership)) == (4, "canceled")
    assert (on.clock.now - began).total_seconds() == pytest.approx(6 + 1 + 2 + 4, abs=0.5)


def test_a_request_limit_is_waited_for_as_long_as_whop_says(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.whop.dial("POST .*/cancel", {"status": 429, "headers": {"Retry-After": "3"}})
    began = on.clock.now
    act(on)

    assert status_of(on, bought.membership) == "canceled"
    assert (on.clock.now - began).total_seconds() == pytest.approx(6 + 3, abs=0.5)


def test_a_refusal_is_not_sent_again_at_once_but_the_whole_is_tried_later(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    refusal = {"error": {"type": "unprocessable_entity", "message": "Not now."}}
    on.whop.dial("POST .*/cancel", {"status": 422, "body": refusal})
    act(on)
    assert (cancels(on), the_act(on).tries) == (1, 1)
    assert "Not now." in (the_act(on).outcome or "")
    assert act(on, 9.9) == 0
    act(on, 0.2)

    assert (cancels(on), the_act(on).state) == (2, "done")


def test_after_three_more_tries_the_admins_are_told_what_to_do_by_hand(on: Scene, mails: MailCatcher) -> None:
    desk = desk_of(on, mails.port)
    with on.parts.database.transaction() as session:
        alerts.keep_settings(session, on.workspace.id, recipients=["ops@example.com"])
    bought = buys(on)
    hear(on, *bought.events)
    on.whop.dial("POST .*/cancel", {"status": 500}, times=None)
    taken = [act(on, seconds, desk=desk) for seconds in (6, 10.1, 30.1, 60.1, 3600)]
    alerting.send_due(desk.alerts)

    assert taken == [1, 1, 1, 1, 0]
    assert cancels(on) == 16
    (mail,) = mails.caught
    told = mail.get_content()
    assert mail["To"] == "ops@example.com"
    assert bought.membership in mail["Subject"]
    assert f"Payment: {bought.payment}" in told
    assert f"Membership: {bought.membership}" in told
    assert "Reason: Whop is in trouble (HTTP 500)." in told
    assert "3. Cancel the membership there" in told
    assert f"/automations/acts/{the_act(on).id}" in told
    assert "told by email" in journal(on)


def test_where_nobody_can_be_told_the_log_says_so(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.whop.dial("POST .*/cancel", {"status": 500}, times=None)
    for seconds in (6, 11, 31, 61):
        act(on, seconds)

    assert "Nobody could be told" in journal(on)
    assert the_act(on).state == "failed"


def test_a_mail_server_that_is_down_is_tried_again_and_told_once(on: Scene, mails: MailCatcher) -> None:
    desk = desk_of(on, mails.port)
    with on.parts.database.transaction() as session:
        alerts.keep_settings(session, on.workspace.id, recipients=["ops@example.com"])
    hear(on, *buys(on).events)
    on.whop.dial("POST .*/cancel", {"status": 500}, times=None)
    for seconds in (6, 11, 31, 61):
        act(on, seconds, desk=desk)
    mails.refuses = True
    alerting.send_due(desk.alerts)
    mails.refuses = False
    for _ in range(5):
        on.clock.advance(3600)
        alerting.send_due(desk.alerts)

    assert len(mails.caught) == 1


def test_a_missing_scope_is_told_and_heals_when_it_is_granted(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    granted = ["company:basic:read", "member:basic:read", "payment:basic:read", "plan:basic:read"]
    on.whop.ask("POST", "/keys", {"do": "restrict", "permissions": granted})
    act(on)
    waiting = the_act(on)
    assert waiting.error["code"] == "act_scope"
    assert "membership:cancel" in waiting.error["remedy"]
    on.whop.ask("POST", "/keys", {"do": "restrict", "permissions": [*granted, "membership:cancel"]})
    act(on, 10.1)

    assert status_of(on, bought.membership) == "canceled"
    with on.parts.database.reading() as session:
        found = connections.get(session, on.workspace.id, on.connection.id)
    assert found.status == "active", "a permission to change something is none that syncs need"


def test_a_deleted_plan_does_not_keep_what_was_clearly_bought_once(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.whop.ask("DELETE", f"/records/plans/{plan_of(on)}")
    act(on)

    assert status_of(on, bought.membership) == "canceled"


def test_a_deleted_plan_keeps_what_may_renew_and_tells_a_person(on: Scene) -> None:
    bought = buys(on, status="active")
    hear(on, *bought.events)
    on.whop.ask("DELETE", f"/records/plans/{plan_of(on)}")
    for seconds in (6, 11, 31, 61):
        act(on, seconds)

    assert (status_of(on, bought.membership), cancels(on)) == ("active", 0)
    assert the_act(on).error["code"] == "act_unclear"


def test_one_that_breaks_off_by_a_defect_holds_no_other_up(on: Scene) -> None:
    first, second = buys(on), buys(on)
    hear(on, *first.events, *second.events)
    desk = desk_of(on)

    class Broken:
        def __init__(self, source: Any) -> None:
            self._source = source

        def __getattr__(self, name: str) -> Any:
            return getattr(self._source, name)

        def record(self, kind: str, id_: str) -> Any:
            if id_ == first.payment:
                raise ZeroDivisionError
            return self._source.record(kind, id_)

    act(on, desk=replace(desk, open_acts=lambda connection: Broken(desk.open_acts(connection))))

    assert status_of(on, second.membership) == "canceled"
    assert {one.state for one in every(on)} == {"waiting", "done"}


def test_a_worker_that_ends_leaves_its_act_to_the_next_without_blame(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.whop.dial("POST .*/cancel", {"status": 502})

    def ends(_seconds: float) -> None:
        from connector.errors import TryLaterError  # noqa: PLC0415

        raise TryLaterError("The worker ends.", after=0.0, code="worker_ends")

    on.clock.advance(6)
    one_round = iter([False, True])
    acting.take_due(replace(desk_of(on), ends=lambda: next(one_round, True)), owner="w", pause=ends)
    assert (the_act(on).tries, the_act(on).owner) == (0, None)
    act(on, 0)

    assert (status_of(on, bought.membership), the_act(on).state) == ("canceled", "done")


# --- by a person


def test_one_that_failed_is_tried_again_by_a_person(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    on.whop.dial("POST .*/cancel", {"status": 500}, times=None)
    for seconds in (6, 11, 31, 61):
        act(on, seconds)
    on.whop.undial()
    switching.try_again(desk_of(on), the_act(on), "Marta")
    act(on, 0)

    assert (status_of(on, bought.membership), the_act(on).state) == ("canceled", "done")
    assert "Marta has it tried again." in journal(on)


def test_what_a_person_did_by_hand_is_settled_once(on: Scene) -> None:
    hear(on, *buys(on).events)
    with pytest.raises(RefusedError, match="does not wait"):
        switching.by_hand(desk_of(on), the_act(on), "Marta")
    on.whop.dial("POST .*/cancel", {"status": 500}, times=None)
    for seconds in (6, 11, 31, 61):
        act(on, seconds)
    switching.by_hand(desk_of(on), the_act(on), "Marta")

    assert (the_act(on).state, the_act(on).outcome) == ("done", "Marta did it by hand.")
    with pytest.raises(RefusedError):
        switching.try_again(desk_of(on), the_act(on), "Marta")


def test_it_cannot_be_switched_on_without_the_permission_or_a_plan(scene: Scene) -> None:
    desk = desk_of(scene)
    with pytest.raises(RefusedError) as none:
        switching.switch_on(desk, scene.connection, NAME, {}, ())
    scene.whop.ask("POST", "/keys", {"do": "restrict", "permissions": ["company:basic:read"]})
    with pytest.raises(RefusedError) as lacks:
        switch_on(scene)

    assert (none.value.code, lacks.value.code) == ("no_plans", "act_scope")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(scene: Scene) -> None:
    once = buys(scene)
    monthly = buys(scene, plan_id=plan_of(scene, "renewal"))
    clock = lambda: NOON  # noqa: E731
    found = switching.dry_run(replace(desk_of(scene), clock=clock), scene.connection, NAME, None, days=7)

    by_payment = {trial.record_id: trial for trial in found}
    assert by_payment[once.payment].would
    assert not by_payment[monthly.payment].would
    assert "renews" in by_payment[monthly.payment].why
    assert (cancels(scene), every(scene)) == (0, [])


def test_a_disconnected_company_sets_nothing_off_any_more(on: Scene) -> None:
    hear(on, *buys(on).events)
    disconnect(on)

    assert act(on, 600) == 0
