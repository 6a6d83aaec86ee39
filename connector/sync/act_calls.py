"""A request that changes something on the source: kept before it is sent, looked for before a repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from connector.core import requests
from connector.core.requests import Change, Standing
from connector.errors import TryLaterError
from connector.ports.acts import SourceActs
from connector.sync.act_endings import Job

_LONGEST_ASKED: Final = 10.0
"""A wait that the source asks for and a worker sits out, in seconds."""

Fields = Mapping[str, Any]


def begin(job: Job, membership_id: str, told: str) -> None:
    """Commit what is about to be done, before it is."""
    begun_at = job.act.begun_at or job.desk.clock()
    job.note(told)
    with job.desk.database.transaction() as session:
        job.keep(session, begun_at=begun_at, membership_id=membership_id, facts=job.act.facts)
    job.act = replace(job.act, begun_at=begun_at, membership_id=membership_id)


def ask(
    job: Job,
    waits: Sequence[timedelta],
    perform: Callable[[str], Fields],
    *,
    is_done: Callable[[Fields], bool],
    look: Callable[[], bool],
) -> None:
    """Have it carried out. When no answer tells, ``look`` says whether it was, before anybody asks again.

    ``perform`` gives the membership as it is then, which ``is_done`` judges.
    """
    act = job.act
    begun = int((act.begun_at or act.due_at).timestamp() * 1000)
    key = f"act-{act.connection_id}-{act.id}-{act.tries}-{begun}"
    for wait in (*waits, None):
        if job.lost:
            raise TryLaterError("Another worker has this act.", code="lease_lost")
        try:
            after = perform(key)
        except TryLaterError as error:
            if wait is None or (error.after or 0.0) > _LONGEST_ASKED:
                raise
            job.note(f"No answer that tells: {error} Looking again in a moment.")
            job.pause(max(wait.total_seconds(), error.after or 0.0))
            if look():
                return
        else:
            if is_done(after):
                return
            raise TryLaterError("Whop answered, but nothing has changed there.", code="act_unanswered")


def standing(source: SourceActs, membership_id: str, change: Change) -> Standing:
    """How far a change of a membership is from what the source says of it now."""
    found = source.record("membership", membership_id)
    return requests.standing(found.fields if found else None, change)


def ask_change(
    job: Job, source: SourceActs, membership_id: str, change: Change, waits: Sequence[timedelta]
) -> None:
    """Have a membership changed that is not so yet. Raises as ``ask``."""
    begin(job, membership_id, f"Asking Whop to {requests.DOING[change]}: {membership_id}.")
    ask(
        job,
        waits,
        lambda key: source.change(membership_id, change, key=key).fields,
        is_done=lambda after: requests.standing(after, change).done,
        look=lambda: standing(source, membership_id, change).done,
    )
