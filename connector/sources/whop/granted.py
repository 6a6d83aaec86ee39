"""What a credential may read, asked of Whop: a list refuses nothing that may not be read, it is shorter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from connector.errors import ReconnectError

from . import client, refusals
from .answers import unlike_whop
from .paging import Listed
from .scopes import BY_FIELD, BY_KIND

PERMISSIONS: Final = tuple(
    dict.fromkeys([*BY_KIND.values(), *(one for of in BY_FIELD.values() for one in of.values())])
)
"""What a credential needs for all kinds to be read whole."""


_PROVEN_AT_ONCE: Final = 20
"""Pages, as many as are taken together later on anyway."""


class Grants:
    """The permissions of one credential, asked once and kept; ``of_person``: they were approved by OAuth."""

    def __init__(self, session: client.Session, *, of_person: bool) -> None:
        self._session = session
        self._of_person = of_person
        self._known: frozenset[str] | None = None

    def ask(self, company: str) -> frozenset[str]:
        """What may be read of this company now, of all there is to be read."""
        params = {"resource_id": company, "actions": ",".join(PERMISSIONS)}
        body = client.get(self._session, "/permissions", params)
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise unlike_whop("/permissions")
        self._known = frozenset(str(row.get("action")) for row in rows if row.get("granted") is True)
        return self._known

    def withheld(self, kind: str, company: str) -> frozenset[str]:
        """The fields that may not be read; raises ReconnectError where the kind may not."""
        granted, needed = self._known or self.ask(company), BY_KIND[kind]
        if not granted:
            raise _unseen(company)
        if needed not in granted:
            raise _unapproved(needed) if self._of_person else refusals.lacking(needed)
        return frozenset(field for field, one in BY_FIELD.get(kind, {}).items() if one not in granted)

    def opens(self, kind: str, company: str) -> bool:
        """Whether this kind may be read."""
        return BY_KIND[kind] in (self._known or self.ask(company))

    def withheld_by_kind(self, company: str) -> dict[str, frozenset[str]]:
        """The fields that may not be read, for every kind that has such."""
        granted = self._known or self.ask(company)
        return {
            kind: frozenset(field for field, needed in fields.items() if needed not in granted)
            for kind, fields in BY_FIELD.items()
        }

    def still_withheld(self, kind: str, company: str) -> frozenset[str]:
        """The same, asked again: a permission that is withdrawn takes rows and values away, silently.

        Who asks after the last page knows that all of it was read with permission, or hears that not.
        """
        self._known = None
        return self.withheld(kind, company)

    def proven(
        self, kind: str, company: str, listed: Iterable[Listed], *, goes_on: bool
    ) -> Iterator[tuple[Listed, frozenset[str]]]:
        """The pages of a pass, each with the fields that could not be read in it.

        A page that looks as if a permission were missing waits, with those after it, until that was asked
        after all of them: at a company where nobody gives a phone number every page looks so. A pass that
        goes on takes for granted that all may be read, since what may not would show.
        """
        withheld = frozenset[str]() if goes_on else self.withheld(kind, company)
        waiting: list[Listed] = []
        for page in listed:
            waiting.append(page)
            in_doubt = len(waiting) > 1 or looks_withheld(kind, page.items, withheld)
            if page.last or len(waiting) == _PROVEN_AT_ONCE:
                withheld = self.still_withheld(kind, company)
            elif in_doubt:
                continue
            yield from ((one, withheld) for one in waiting)
            waiting = []


def looks_withheld(kind: str, items: Sequence[object], withheld: frozenset[str]) -> bool:
    """Whether a field that may be read is null in every item: so a page looks that may not be read whole."""
    rows = [item for item in items if isinstance(item, dict)]
    guarded = [field for field in BY_FIELD.get(kind, {}) if field not in withheld]
    return bool(rows) and any(all(_is_null(row, field) for row in rows) for field in guarded)


def _is_null(row: dict[str, Any], field: str) -> bool:
    outer, _, inner = field.partition(".")
    value = row.get(outer)
    return (value.get(inner) if isinstance(value, dict) and inner else value) is None


def _unapproved(permission: str) -> ReconnectError:
    return ReconnectError(
        f"What was approved on Whop lacks the permission {permission}.",
        code="whop_scope",
        remedy="Connect the company again and approve everything that is asked for.",
    )


def _unseen(company: str) -> ReconnectError:
    return ReconnectError(
        f"Whop shows nothing of {company} any more: it was switched off, or our access to it was withdrawn.",
        code="whop_unseen",
        remedy="Look at the company in the Whop dashboard; when it is back, syncs go on by themselves.",
    )
