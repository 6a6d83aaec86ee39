"""Automation files: what they come to, and every mistake by line, column and nearest name."""

# ruff: noqa: E501 - a message stands here as the operator reads it, on one line

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector.bootstrap import acting
from connector.core.automation import Automation, Step
from connector.core.mapping import passes
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import AutomationFileError
from connector.mapping_files import load_automation_texts, load_automations
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

HEAD = "version: 1\ntitle: T\nabout: A\n"
WHOLE = f"{HEAD}on: payment.succeeded\ndo:\n  - cancel: now\n"


def loaded(text: str, name: str = "one.yaml") -> Automation:
    (only,) = load_automation_texts({name: text}, SOURCE, CRM)
    return only


def told(text: str, name: str = "one.yaml") -> list[str]:
    with pytest.raises(AutomationFileError) as caught:
        load_automation_texts({name: text}, SOURCE, CRM)
    return list(caught.value.problems)


def test_the_shipped_one_ends_one_time_purchases_after_five_seconds() -> None:
    (one,) = [each for each in acting.automations("") if each.name == "one_time_purchases"]

    assert one.on == {"payment.succeeded"}
    assert one.steps == (Step("cancel", "now", timedelta(seconds=5)),)
    assert [wait.total_seconds() for wait in one.calls] == [1, 2, 4]
    assert [wait.total_seconds() for wait in one.job] == [10, 30, 60]
    assert one.chooses_plans
    assert [passes({"status": status}, one.when[0]) for status in ("paid", "open")] == [True, False]


def test_the_shortest_file_is_whole() -> None:
    one = loaded(WHOLE)

    assert (one.name, one.fact, one.when, one.calls, one.job) == ("one", "payment", (), (), ())
    assert one.steps == (Step("cancel", "now"),)


def test_steps_follow_each_other_with_waits_of_their_own() -> None:
    one = loaded(
        f"{HEAD}on: payment.succeeded\nwait: 2 hours\ndo:\n  - cancel: now\n  - {{cancel: now, wait: 3 days}}\n"
    )

    assert [step.wait for step in one.steps] == [timedelta(hours=2), timedelta(days=3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WHOLE + "wiat: 5 seconds\n", 'one.yaml:7:1: found "wiat", expected one of about, before, choose, do, on, retry, title, unless, version, wait, when in an automation, did you mean "wait"?'),
        (WHOLE.replace("succeeded", "suceeded"), 'one.yaml:4:5: found "payment.suceeded", expected an event of whop about a payment or a membership, did you mean "payment.succeeded"?'),
        (WHOLE.replace("payment.succeeded", "[payment.succeeded, membership.activated]"), "one.yaml:4:25: found membership.activated beside payment.succeeded, expected events about a payment alone"),
        (WHOLE.replace("version: 1", "version: 2"), "one.yaml:1:10: found 2, expected 1"),
        (WHOLE.replace("about: A\n", ""), "one.yaml:1:1: found an automation without about:, expected about:"),
        (WHOLE + "when: {statsu: paid}\n", 'one.yaml:7:8: found "statsu", expected a field of the whop payment, did you mean "status"?'),
        (WHOLE + "choose: plan\n", 'one.yaml:7:9: found "plan", expected plans, did you mean "plans"?'),
        (WHOLE + "wait: 5\n", "one.yaml:7:7: found 5, expected a period like 5 seconds, 10 minutes or 3 days"),
        (WHOLE + "wait: soon\n", 'one.yaml:7:7: found "soon", expected a period like 5 seconds, 10 minutes or 3 days'),
        (WHOLE + "wait: {}\n", "one.yaml:7:7: found a table of keys, expected a period like 5 seconds, 10 minutes or 3 days"),
        (WHOLE + "retry: {calls: 1 minute}\n", 'one.yaml:7:16: found "1 minute", expected at most 30 seconds; longer waits stand under job'),
        (WHOLE + "retry: {job: [1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day]}\n", "one.yaml:7:14: found 11 tries, expected at most 10"),
        (WHOLE + "retry: {cals: 1 second}\n", 'one.yaml:7:9: found "cals", expected one of calls, job in retry, did you mean "calls"?'),
        (WHOLE.replace("cancel: now", "cancel: later"), 'one.yaml:6:13: found "later", expected now'),
        (WHOLE.replace("cancel: now", "cancle: now"), 'one.yaml:6:5: found "cancle", expected one of answer_within, cancel, email, message, pause, resume, task, text, until, wait in a step, did you mean "cancel"?'),
        (WHOLE.replace("  - cancel: now", "  - wait: 1 day"), "one.yaml:6:5: found a step that does nothing, expected one of cancel, pause, resume, message, email, task, with how"),
        (WHOLE + "before: 3 days\n", "one.yaml:7:1: found before: beside an event, expected it beside on: renewal"),
        (WHOLE.replace("payment.succeeded", "renewal"), "one.yaml:1:1: found an automation on renewal without before:, expected before:"),
        (WHOLE.replace("payment.succeeded", "[membership.activated, renewal]"), "one.yaml:4:28: found renewal beside membership.activated, expected renewal alone, or events"),
        (WHOLE + "    until: paid\n", "one.yaml:7:5: found until: here, expected it at a later step of what a payment sets off"),
        (WHOLE.replace("payment.succeeded", "membership.activated") + "  - resume: now\n    until: paid\n", "one.yaml:8:5: found until: here, expected it at a later step of what a payment sets off"),
        (WHOLE + "  - resume: now\n    until: payed\n", 'one.yaml:8:12: found "payed", expected paid, did you mean "paid"?'),
        (f"{HEAD}on: payment.succeeded\ndo: []\n", "one.yaml:5:5: found an empty list, expected at least one step like cancel: now"),
        ("", "one.yaml:1:1: found an empty file, expected an automation"),
        ("- 1\n", "one.yaml:1:1: found a list, expected an automation: a table of keys"),
        (WHOLE + "title: again\n", 'one.yaml:7:1: found "title" twice, expected it once (first on line 2)'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, message: str) -> None:
    assert message in told(text)


def test_a_failed_payment_pauses_and_a_paid_one_resumes() -> None:
    (one,) = [each for each in acting.automations("") if each.name == "failed_payment"]

    assert one.on == {"payment.failed"}
    assert one.steps == (Step("pause", "now"), Step("resume", "now", until_paid=True))
    assert [passes({"status": status}, one.when[0]) for status in ("open", "paid", "void")] == [
        True,
        False,
        False,
    ]


def test_a_renewal_is_reminded_of_some_days_before() -> None:
    (one,) = [each for each in acting.automations("") if each.name == "renewal_reminder"]

    assert (one.on, one.fact, one.before) == ({"renewal"}, "membership", timedelta(days=3))


def message(text: str) -> str:
    return WHOLE.replace("cancel: now", f'message: "{text}"')


def test_a_message_says_fields_of_the_membership_and_of_its_member() -> None:
    (step,) = loaded(
        message("Hello {member.display_name}, {product.title} until {current_period_end}.")
    ).steps
    fields = {"member": {"display_name": "*Ada*"}, "product": {"title": "Pro"}, "current_period_end": None}

    assert step.says(fields) == r"Hello \*Ada\*, Pro until (not given)."


def test_a_task_has_a_title_and_more_words_and_may_leave_out_who_is_back() -> None:
    one = loaded(
        WHOLE.replace("cancel: now", 'task: "Win {id} back"\n    text: "{status}"') + "unless: has_access\n"
    )

    assert one.unless_access
    assert one.steps[0].says({"id": "mem_1"}) == r"Win mem\_1 back"
    assert one.steps[0].body({"status": "expired"}) == "expired"
    assert 'one.yaml:7:9: found "back", expected has_access' in told(WHOLE + "unless: back\n")[0]
    assert "beside a task" in told(WHOLE.replace("cancel: now", "message: Hi\n    text: x"))[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hi {member.displayname}", 'found "member.displayname", expected a field of the whop membership, or member. and one of its member, did you mean "member.display_name"?'),
        ("Hi {produkt.title}", 'found "produkt.title", expected a field of the whop membership, or member. and one of its member, did you mean "product.title"?'),
        ("Hi {metadata}", "found metadata, which is object, expected one of boolean, id, money, number, text, time in a text"),
        ("Hi {name", "expected at most 4000 characters, with field names in braces"),
    ],
)  # fmt: skip
def test_a_template_with_a_wrong_name_is_told_when_it_is_read(text: str, found: str) -> None:
    (problem,) = told(message(text))

    assert found in problem


def test_a_name_that_is_none_and_one_that_is_there_twice_are_told() -> None:
    assert (
        'Not-this.yaml:1:1: found the name "Not-this", expected one of small letters, digits and _'
        in told(WHOLE, "Not-this.yaml")
    )
    with pytest.raises(AutomationFileError) as caught:
        load_automation_texts({"one.yaml": WHOLE, "one.yml": WHOLE}, SOURCE, CRM)
    assert caught.value.problems == (
        "one.yml:1:1: found a second file of this name, expected one.yaml alone",
    )


def test_a_folder_is_read_whole_and_an_empty_one_is_no_mistake(tmp_path: Path) -> None:
    assert load_automations(tmp_path, SOURCE, CRM) == ()
    (tmp_path / "b.yaml").write_text(WHOLE)
    (tmp_path / "a.yml").write_text(WHOLE)
    assert [one.name for one in load_automations(tmp_path, SOURCE, CRM)] == ["a", "b"]
    (tmp_path / "c.yaml").write_bytes(b"\xff")
    with pytest.raises(AutomationFileError, match="UTF-8"):
        load_automations(tmp_path, SOURCE, CRM)
    with pytest.raises(AutomationFileError, match="no such folder"):
        load_automations(tmp_path / "nowhere", SOURCE, CRM)


def test_the_documentation_shows_the_shipped_file_itself() -> None:
    root = Path(__file__).parents[2]
    shown = (root / "docs" / "automations.md").read_text().split("```yaml\n")[1].split("```")[0]
    kept = (root / "automations" / "one_time_purchases.yaml").read_text()

    assert shown == "".join(line for line in kept.splitlines(keepends=True) if not line.startswith("#"))


def test_an_email_is_plain_and_has_a_subject_and_a_text() -> None:
    text = WHOLE.replace("cancel: now", 'email: "About {id}"\n    text: "Hello {member.display_name}"')
    (step,) = loaded(text).steps
    fields = {"id": "mem_*1*", "member": {"display_name": "[Ada](x)" + "y" * 300}}

    assert (step.verb, step.says(fields)) == ("email", "About mem_*1*")
    assert step.body(fields) == "Hello [Ada](x)" + "y" * 300
    assert "an e-mail without text:" in told(WHOLE.replace("cancel: now", "email: Hi"))[0]


def test_a_message_says_how_long_an_answer_is_waited_for() -> None:
    (step,) = loaded(message("Hi") + "    answer_within: 3 days\n").steps
    (usual,) = loaded(message("Hi")).steps

    assert (step.patience, usual.patience) == (timedelta(days=3), timedelta(days=7))
    assert (
        "one.yaml:7:5: found answer_within: beside cancel" in told(WHOLE + "    answer_within: 3 days\n")[0]
    )
    assert 'found "soon", expected a period' in told(message("Hi") + "    answer_within: soon\n")[0]
