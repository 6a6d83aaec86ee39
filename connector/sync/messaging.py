"""A message to the buyer of a membership, in the company's support chat on the source: sent once.

What was sent is found in the chat itself: before the first request is kept how many messages of this text are
there, and whoever finds a request without an answer looks whether there is one more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from connector.core.automation import Automation, Step
from connector.core.records import SourceRecord
from connector.ports.acts import SourceActs
from connector.sync import act_calls, buyers, listening
from connector.sync.act_endings import Job, done, skip

VALID: Final = ("trialing", "active", "completed", "past_due", "canceling")
_BEFORE: Final = "before"


def carry_out(job: Job, source: SourceActs, automation: Automation, step: Step, id_: str) -> None:
    """Write to whoever holds the membership, as long as it is valid."""
    membership = source.record("membership", id_)
    if membership is None or membership.fields["status"] not in VALID:
        skip(job, "The membership is not valid any more.", membership_id=id_)
        return
    user = membership.fields.get("user_id")
    if not user:
        skip(job, "Nobody has claimed the membership yet, so there is nobody to write to.", membership_id=id_)
        return
    text, channel = text_of(source, step, membership), source.channel(str(user))
    there = _count(source, channel, text)
    before = job.act.facts.get(_BEFORE)
    begin = partial(
        listening.begin, membership=membership, channel=channel, text=text, patience=step.patience
    )
    if job.act.begun_at is not None and before is not None and there > before:
        done(job, automation, "It is in the chat: only the answer had been lost.", id_, begin)
        return
    job.act = replace(job.act, facts={**job.act.facts, _BEFORE: there})
    act_calls.begin(job, id_, f"Writing to {user} in the support chat.")
    act_calls.ask(
        job,
        automation.calls,
        lambda key: source.write(channel, text, key=key),
        is_done=bool,
        look=lambda: _count(source, channel, text) > there,
    )
    done(job, automation, "The message was sent.", id_, begin)


def text_of(source: SourceActs, step: Step, membership: SourceRecord) -> str:
    """What is written."""
    return step.says(buyers.told_of(membership, buyers.member_of(source, membership)))


def _count(source: SourceActs, channel: str, text: str) -> int:
    return sum(one == text for one in source.messages(channel))
