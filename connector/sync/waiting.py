"""A run that waits because a service is in trouble: for which side, and how long until it tries again.

The run's row keeps the error and ``tries``, the jobs in a row that got nowhere; whatever is saved next
takes the tries away. Each job first asks the CRM one small question (``Writer.account``), so one that is
down costs no reading of pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from zlib import crc32

from connector.errors import ConnectorError, TryLaterError
from connector.store.runs import Run

_FIRST = 2.0
LONGEST = 20.0
"""A service that is well again is noticed within a minute: a try that hangs in its time-outs (5 s to connect,
30 s for an answer, as they are set by default), this wait, and one round of the sweeper (5 s)."""

Side = Literal["crm", "source"]
_OF_SOURCE = ("whop_", "source_")
_MOST_ASTRAY, _MOST_UNREADABLE = 10, 60
_UNREADABLE = ("source_answer", "not_json")
_OF_NETWORK = ("unreachable", "timeout", "cut_short", "tls", "certificate", "not_json")


def seconds(run_id: str, tries: int, longest: float = LONGEST) -> float:
    """The wait after so many tries: it doubles, and is a little shorter for one run than for another."""
    whole = min(longest, _FIRST * 2.0 ** min(tries - 1, 16))
    spread = crc32(f"{run_id}:{tries}".encode()) / 2**32
    return whole * (1 - spread / 4)


def counted(checkpoint: Mapping[str, Any], error: TryLaterError) -> dict[str, Any]:
    """The checkpoint, with one more job that got nowhere.

    Jobs whose pages led back to where they had been are counted apart (``astray``): each may have settled
    the pages of one such round, which takes the tries away.
    """
    more = ["tries", "astray"] if error.code == "source_paging" else ["tries"]
    return {**checkpoint, **{name: int(checkpoint.get(name, 0)) + 1 for name in more}}


def end_of_patience(checkpoint: Mapping[str, Any], error: TryLaterError) -> ConnectorError | None:
    """The error that ends a run whose source answers, but never with what can be read on from.

    A service that is down comes back; one that gives the same nonsense for many minutes needs a person.
    """
    paging = checkpoint.get("astray", 0) >= _MOST_ASTRAY and error.code == "source_paging"
    unreadable = checkpoint.get("tries", 0) >= _MOST_UNREADABLE and error.code in _UNREADABLE
    if not (paging or unreadable):
        return None
    return ConnectorError(
        f"{error} It was tried again and again at the same place.",
        code="source_stuck",
        remedy="Start the sync again later. If it ends here again, report it with this run's number.",
    )


def side_in_trouble(run: Run) -> Side | None:
    """The service that the run waits for; None for a run that goes on."""
    if run.status != "running" or not run.checkpoint.get("tries") or not run.error:
        return None
    return _side(run.error)


def _side(error: Mapping[str, Any]) -> Side | None:
    code = str(error.get("code", ""))
    if code.startswith("crm_"):
        return "crm"
    return "source" if code.startswith(_OF_SOURCE) or code in _OF_NETWORK else None
