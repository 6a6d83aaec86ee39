"""What a worker runs. Arguments are ids; the first line claims, the last commits; all is safe to repeat."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from threading import Event

import structlog

from connector import bootstrap
from connector.errors import TryLaterError
from connector.sync import (
    acting,
    alerting,
    asking,
    connecting,
    conversing,
    crm_access,
    deciding,
    expiring,
    hooking,
    keys,
    mirror,
    passing,
    pruning,
    reconcile_job,
    reconciling,
    reminding,
    replaying,
    scheduling,
    setting_off,
)
from connector.sync import drain as draining

log = structlog.get_logger(__name__)


_STOP = Event()
_PRUNING = timedelta(seconds=10)


def stop() -> None:
    """The worker is to end: the job in hand stops before its next request, and another worker goes on."""
    _STOP.set()


def pause(seconds: float) -> None:
    """Sleep. Raises TryLaterError when the worker is to end."""
    if _STOP.wait(seconds):
        raise TryLaterError("The worker ends; another one goes on.", after=0.0, code="worker_ends")


@cache
def _parts() -> bootstrap.Parts:
    parts = bootstrap.from_environment(pause=pause)
    ends = _STOP.is_set
    return replace(
        parts,
        tools=replace(parts.tools, ends=ends),
        acts=replace(parts.acts, ends=ends),
        talks=replace(parts.talks, ends=ends),
        janitor=replace(parts.janitor, ends=ends),
    )


def _owner() -> str:
    """A name for this very job, so that a second ring of the same run is told apart from it."""
    return f"{os.getpid()}-{uuid.uuid4().hex[:12]}"


def advance_run(run_id: str) -> None:
    """Work on a sync run for a few seconds."""
    with structlog.contextvars.bound_contextvars(run_id=run_id):
        mirror.advance(_parts().tools, run_id, owner=_owner())


def drain() -> None:
    """Take what waits in the event inbox. Who rings from now on rings anew."""
    parts = _parts()
    parts.bell.heard("drain")
    draining.drain(parts.tools, owner=_owner(), pause=pause, bell=parts.bell)


def act() -> None:
    """Carry out what automations are to do by now, and look for what sets them off."""
    parts = _parts()
    listen = partial(setting_off.listen, parts.tools)
    acting.take_due(parts.acts, owner=_owner(), pause=pause, listen=listen)


def remind() -> None:
    """Set off what automations do so long before a renewal."""
    reminding.sweep(_parts().tools)


def ask() -> None:
    """Take up what people in the CRM ask to be done on the source."""
    asking.look(_parts().asks)


def converse() -> None:
    """Look at the conversations whose time has come."""
    conversing.look(_parts().talks, owner=_owner())


def tidy() -> None:
    """Forget approvals and sign-ins that were begun and never came back, or waited too long for a choice."""
    connecting.tidy(_parts().desk)
    crm_access.tidy(_parts().crm_desk)


def prune() -> None:
    """Forget for a few seconds what is older than the settings say; what is left comes with the next."""
    janitor = _parts().janitor
    pruning.prune(janitor, janitor.clock() + _PRUNING)


def sweep() -> None:
    """Ring for runs that nobody is at; start those that are due, and those that decisions wait for."""
    tools = _parts().tools
    mirror.sweep(tools)
    scheduling.sweep(tools)
    expiring.sweep(tools)
    deciding.sweep(tools)
    replaying.wake(tools)
    replaying.bring_forward(tools)
    passing.sweep(tools)


def reconcile(reconciliation_id: str) -> None:
    """Compare the CRM with its source for a few seconds."""
    with structlog.contextvars.bound_contextvars(reconciliation_id=reconciliation_id):
        reconcile_job.advance(_parts().tools, reconciliation_id, owner=_owner())


def look_after_comparisons() -> None:
    """Start comparisons that are due, and ring for those that nobody is at."""
    reconciling.sweep(_parts().tools)


def look_for_access() -> None:
    """Try connections whose access to the source ended and may have come back."""
    parts = _parts()
    keys.look_at_lost(parts.tools, parts.desk.asked)


def alert() -> None:
    """Find what began to be wrong and what is over, and tell whoever wants to know."""
    alerting.look(_parts().alerts)


def look_after_webhooks() -> None:
    """Keep our webhooks at the source right, and have delivered again what never arrived."""
    hooking.sweep(_parts().hooks, owner=_owner())
