"""People in the CRM ask for something on the source: by a field, found when the CRM tells or each hour.

A look claims its turn, reads every record whose field holds a choice, and keeps an act for each: one of its
kind for each moment at which the record was changed. Which membership it is, the links say. What is asked is
carried out by the acts (``sync.crm_acts``), which empty the field first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from connector.core.outcomes import as_json
from connector.core.records import iso
from connector.errors import ConnectorError, ReconnectError, RefusedError
from connector.ports import Clock
from connector.ports.crm_requests import Asked, CrmRequests
from connector.store import acts, crm_requests, workspaces
from connector.store.acts import NewAct
from connector.store.crm_requests import Listening
from connector.store.db import Database
from connector.store.workspaces import Workspace
from connector.sync.act_endings import CRM
from connector.vault import Vault

log = structlog.get_logger(__name__)

_EVERY: Final = timedelta(hours=1)
_AFTER_TROUBLE: Final = timedelta(minutes=2)
_SHOWN: Final = 200
"""What one look shows at most: there may be more behind it."""


@dataclass(frozen=True, slots=True)
class AskDesk:
    """What is asked is heard with. ``open_changing`` has what makes fields and webhooks: what the workspace's
    own credential may not do, this admin's sign-in does. ``new_secret`` makes one for a webhook."""

    database: Database
    vault: Vault
    clock: Clock
    open_crm: Callable[[Workspace], CrmRequests]
    open_changing: Callable[[Workspace, str | None], CrmRequests]
    new_secret: Callable[[], str]
    public_url: str

    def address(self, workspace_id: str) -> str:
        """Where the CRM tells us."""
        return f"{self.public_url}/webhooks/twenty/{workspace_id}"


def switch_on(desk: AskDesk, workspace: Workspace, admin_id: str | None = None) -> Listening:
    """Make the fields, and have the CRM tell where it may be asked to. Raises SchemaError, ReconnectError."""
    crm = desk.open_changing(workspace, admin_id)
    crm.prepare()
    _unlisten(desk, workspace, crm)
    secret, error, hook_id = desk.new_secret(), None, None
    try:
        hook_id = crm.listen(desk.address(workspace.id), secret)
    except (ReconnectError, RefusedError) as refused:
        error = as_json(refused)  # then what is asked is found each hour
        log.warning("the CRM takes no webhook", workspace=workspace.id, code=refused.code)
    sealed = desk.vault.seal(secret, bound_to=binding(workspace.id)) if hook_id else None
    now = desk.clock()
    with desk.database.transaction() as session:
        values = {"since": now, "hook_id": hook_id, "secret_sealed": sealed, "error": error}
        crm_requests.keep(session, workspace.id, due_at=now, **values)
        found = crm_requests.get(session, workspace.id)
    if found is None:
        raise AssertionError("what was just kept is not there")
    return found


def switch_off(desk: AskDesk, workspace: Workspace, admin_id: str | None = None) -> None:
    """Nothing is taken up any more; the fields stay, with what people have in them."""
    _unlisten(desk, workspace, desk.open_changing(workspace, admin_id))
    values = {"since": None, "hook_id": None, "secret_sealed": None, "error": None}
    with desk.database.transaction() as session:
        crm_requests.keep(session, workspace.id, due_at=desk.clock(), **values)


def _unlisten(desk: AskDesk, workspace: Workspace, crm: CrmRequests) -> None:
    with desk.database.reading() as session:
        known = crm_requests.get(session, workspace.id)
    if known is None or known.hook_id is None:
        return
    try:
        crm.unlisten(known.hook_id)
    except ConnectorError as error:  # it is signed with a secret that is not known any more: refused
        log.warning("a webhook stays in the CRM", workspace=workspace.id, code=error.code)


def let_ask(desk: AskDesk, workspace_id: str, *, only_people: bool) -> None:
    """Who may ask, from now on: whoever may edit the field, or nobody but people."""
    with desk.database.transaction() as session:
        crm_requests.let_ask(session, workspace_id, desk.clock(), only_people=only_people)


def secret_of(desk: AskDesk, workspace_id: str) -> str | None:
    """What deliveries of this workspace's CRM are signed with; None where nobody listens."""
    with desk.database.reading() as session:
        known = crm_requests.get(session, workspace_id)
    if known is None or known.since is None or known.secret_sealed is None:
        return None
    return desk.vault.open(known.secret_sealed, bound_to=binding(workspace_id))


def heard(desk: AskDesk, workspace_id: str) -> None:
    """The CRM told of a record that asks for something."""
    with desk.database.transaction() as session:
        crm_requests.heard(session, workspace_id, desk.clock())


def look(desk: AskDesk) -> int:
    """Take up what is asked, wherever it is time to look; how many acts are new."""
    with desk.database.reading() as session:
        found = crm_requests.due(session, desk.clock())
    return sum(_look(desk, one) for one in found)


def _look(desk: AskDesk, one: Listening) -> int:
    now = desk.clock()
    with desk.database.transaction() as session:
        if not crm_requests.claim(session, one, now + _EVERY, now):
            return 0
        workspace = workspaces.get(session, one.workspace_id)
    try:
        asked = desk.open_crm(workspace).waiting()
    except ConnectorError as error:
        log.warning("what is asked in the CRM cannot be read", workspace=workspace.id, code=error.code)
        with desk.database.transaction() as session:
            crm_requests.keep(session, workspace.id, due_at=now + _AFTER_TROUBLE, error=as_json(error))
        return 0
    if len(asked) >= _SHOWN:
        with desk.database.transaction() as session:
            crm_requests.keep(session, workspace.id, due_at=now + _AFTER_TROUBLE)
    return _take_up(desk, one, asked)


def _take_up(desk: AskDesk, one: Listening, asked: Sequence[Asked]) -> int:
    now, since = desk.clock(), iso(one.since) if one.since else ""
    fresh = [each for each in asked if each.updated_at > since]
    with desk.database.transaction() as session:
        known = crm_requests.memberships(session, one.workspace_id, CRM.fact, [each.id for each in fresh])
        new = [_new(desk, one.workspace_id, each, *known[each.id]) for each in fresh if each.id in known]
        count = acts.add(session, new, now)
    if count:
        log.info("something is asked for in the CRM", acts=count, workspace=one.workspace_id)
    return count


def _new(desk: AskDesk, workspace_id: str, asked: Asked, connection_id: str, membership_id: str) -> NewAct:
    now = desk.clock()
    return NewAct(
        workspace_id,
        connection_id,
        CRM.name,
        0,
        CRM.fact,
        f"{asked.id}@{asked.updated_at}",
        None,
        asked.updated_at,
        {"opportunity": asked.id, "asked": asked.choice, "by": asked.by._asdict()},
        now,
        [(iso(now), f"“{asked.choice}” was chosen in Twenty. Asked by: {asked.by.told}.")],
        membership_id,
    )


def binding(workspace_id: str) -> str:
    """What the sealed secret belongs to."""
    return f"crm-requests:{workspace_id}"
