"""``notes`` and ``tasks``: what they come to, and every mistake by line, column and nearest name."""

# ruff: noqa: E501 - a message stands here as the operator reads it, on one line

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.core.notes import NoteRule
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingFileError
from connector.mapping_files import load_texts
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

HEAD = "version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\nfields: {name: {from: product_id}}\n"
MEMBERS = "version: 1\nsource: {kind: member}\ntarget: {object: person}\nfields: {name: {from: display_name, using: full_name}}\n"
LINKS = "links: {pointOfContact: {kind: member, id: member_id}}\n"


def rules(rest: str) -> list[NoteRule]:
    files = {"m.yaml": HEAD + LINKS + rest, "person.yaml": MEMBERS}
    return list(load_texts(files, SOURCE, CRM)["membership"].notes)


def rule(line: str, key: str = "notes") -> NoteRule:
    (only,) = rules(f"{key}:\n  - {{{line}}}\n")
    return only


def told(line: str, key: str = "notes") -> list[str]:
    with pytest.raises(MappingFileError) as caught:
        load_texts({"m.yaml": f"{HEAD}{key}:\n  - {{{line}}}\n"}, SOURCE, CRM)
    return list(caught.value.problems)


FAILED = "on: [payment.failed], once_per: payment"


def test_the_shortest_note_says_what_failed_on_the_record_and_its_people() -> None:
    found = rule(f'{FAILED}, text: "Payment of {{amount}} failed: {{failure_message}}"')
    fields = {"total": {"amount": "25.125", "currency": "kwd"}, "failure_message": "No *funds*."}

    assert found.text(fields) == r"Payment of 25.125 KWD failed: No \*funds\*."
    assert found.title(fields) == "Payment failed"
    assert found.to == ("", "pointOfContact")
    assert (found.kind, found.fact, found.once_per) == ("note", "payment", "payment")


def test_a_task_knows_when_it_is_due_whose_it_is_and_when_it_is_done() -> None:
    found = rule(
        "name: dispute, on: dispute.created, once_per: payment, title: Answer, text: x, to: pointOfContact, "
        "due: [evidence_due_at, 2 weeks], assignee: owner, done_on: {status: [won, lost]}",
        "tasks",
    )

    read, period = found.due
    assert callable(read)
    assert read({"evidence_due_at": "2026-12-01"}) == "2026-12-01"
    assert period == timedelta(days=14)
    assert (found.name, found.assignee, found.to) == ("dispute", "owner", ("pointOfContact",))
    assert found.done_in is not None
    assert [found.done_in({"status": word}) for word in ("won", "needs_response")] == [True, False]
    assert not found.done_in({})


def test_states_are_all_to_be_met_and_events_close_too() -> None:
    found = rule(f"{FAILED}, text: x, done_on: [payment.succeeded]", "tasks")

    assert found.done_on == {"payment.succeeded"}
    assert found.done_in is None
    assert found.title({}) == "Payment failed"


@pytest.mark.parametrize(
    ("due", "hours"), [("1 hour", 1), ("12 hours", 12), ("1 day", 24), ("3 days", 72), ("2 weeks", 336)]
)
def test_periods_are_plain_words(due: str, hours: int) -> None:
    assert rule(f"{FAILED}, text: x, due: {due}", "tasks").due == (timedelta(hours=hours),)


def test_only_says_which_count() -> None:
    found = rule("on: membership.deactivated, only: {status_not: [past_due]}, once_per: membership, text: x")

    assert found.only is not None
    assert [found.only({"status": word}) for word in ("canceled", "past_due")] == [True, False]
    assert found.only({})


def test_another_file_has_notes_of_its_own_kind() -> None:
    text = MEMBERS + 'notes: [{on: member.created, once_per: member, text: "{display_name} joined"}]\n'
    (found,) = load_texts({"p.yaml": text}, SOURCE, CRM)["member"].notes

    assert found.text({"display_name": "Ada"}) == "Ada joined"
    assert found.to == ("",)


NAMES = [
    ("on: payment.failed, once_per: payment, text: x", "note payment.failed per payment"),
    ("name: my_note, on: payment.failed, once_per: payment, text: x", "my_note"),
]


@pytest.mark.parametrize(("line", "name"), NAMES)
def test_a_note_is_known_by_its_name_whatever_its_words(line: str, name: str) -> None:
    assert rule(line).name == name
    assert rule(f"{line}, title: Other words").name == name


MISTAKES: list[tuple[str, str, str]] = [
    ("notes", "once_per: payment, text: x", "6:5: found a note without on:, expected on:"),
    ("notes", "on: payment.failed, text: x", "6:5: found a note without once_per:, expected once_per:"),
    ("tasks", "on: payment.failed, once_per: payment", "6:5: found a task without text:, expected text:"),
    ("notes", "on: payment.faild, once_per: payment, text: x", '6:10: found "payment.faild", expected an event of whop, did you mean "payment.failed"?'),
    ("notes", "on: product.created, once_per: product, text: x", "6:10: found product.created, an event about a product, expected one about one of membership, payment, refund, dispute"),
    ("notes", "on: [payment.failed, refund.created], once_per: payment, text: x", "6:27: found refund.created beside payment.failed, expected events about a payment alone"),
    ("notes", "on: payment.failed, once_per: paymnt, text: x", '6:36: found "paymnt", expected one of payment, membership, did you mean "payment"?'),
    ("notes", "on: payment.failed, once_per: refund, text: x", '6:36: found "refund", expected one of payment, membership'),
    ("notes", f'{FAILED}, text: "{{amout}}"', '6:53: found "amout", expected a field of the whop payment, did you mean "amount"?'),
    ("notes", f'{FAILED}, text: "{{1 + 1}}"', '6:53: found "1 + 1", expected a field of the whop payment'),
    ("notes", f'{FAILED}, text: "{{line_items}}"', "6:53: found line_items, which is list, expected one of boolean, id, money, number, text, time in a text"),
    ("notes", f'{FAILED}, text: "{{status"', '6:53: found "{status", expected text, with field names in braces like "{status}" where they are wanted'),
    ("notes", f"{FAILED}, text: x, to: [oportunity]", '6:61: found "oportunity", expected opportunity, or a link of this file, did you mean "opportunity"?'),
    ("notes", f"{FAILED}, text: x, name: My Note", '6:62: found "My Note", expected a name like payment_failed, of small letters and digits'),
    ("notes", f"{FAILED}, text: x, due: 3 days", '6:56: found "due", expected one of name, on, once_per, only, text, title, to in a note'),
    ("notes", f"{FAILED}, text: x, only: {{stauts: paid}}", '6:63: found "stauts", expected a field of the whop payment, did you mean "status"?'),
    ("tasks", f"{FAILED}, text: x, due: 3 dayz", '6:61: found "3 dayz", expected a period like 12 hours, 3 days or 2 weeks'),
    ("tasks", f"{FAILED}, text: x, due: status", "6:61: found status, which is text, expected a field that holds a time"),
    ("tasks", f"{FAILED}, text: x, due: paid", '6:61: found "paid", expected a field of the whop payment'),
    ("tasks", f"{FAILED}, text: x, assignee: ownr", '6:66: found "ownr", expected none, owner, or the e-mail address of a member of the CRM workspace, did you mean "owner"?'),
    ("tasks", f"{FAILED}, text: x, done_on: {{stauts: paid}}", '6:66: found "stauts", expected a field of the whop payment, did you mean "status"?'),
]  # fmt: skip


@pytest.mark.parametrize(("key", "line", "problem"), MISTAKES)
def test_a_mistake_is_told(key: str, line: str, problem: str) -> None:
    assert any(one.startswith(f"m.yaml:{problem}") for one in told(line, key)), told(line, key)


def test_an_event_that_cannot_name_the_fact_closes_nothing() -> None:
    problem = "m.yaml:6:85: found membership.activated, which tells of no payment, expected events that name its payment"

    assert told(f"{FAILED}, text: x, done_on: [payment.succeeded, membership.activated]", "tasks") == [
        problem
    ]
    assert rule(f"{FAILED}, text: x, done_on: dispute.updated", "tasks").done_on == {"dispute.updated"}


def test_an_owner_is_only_where_the_object_has_one() -> None:
    text = MEMBERS + "tasks: [{on: member.created, once_per: member, title: x, text: x, assignee: owner}]\n"

    with pytest.raises(MappingFileError) as caught:
        load_texts({"p.yaml": text}, SOURCE, CRM)

    assert caught.value.problems == (
        "p.yaml:5:77: found owner, which a person does not have, expected none or an e-mail",
    )


def test_two_of_one_name_would_be_one_note() -> None:
    lines = "".join(f"  - {{{FAILED}, text: {word}}}\n" for word in "ab")

    with pytest.raises(MappingFileError) as caught:
        rules(f"notes:\n{lines}")

    assert [one for one in caught.value.problems if "twice" in one]


@pytest.mark.parametrize("value", ["x", "{a: b}"])
def test_notes_are_a_list(value: Any) -> None:
    with pytest.raises(MappingFileError) as caught:
        load_texts({"m.yaml": f"{HEAD}notes: {value}\n"}, SOURCE, CRM)

    assert "expected a list of notes, each with on, once_per and text" in caught.value.problems[0]
