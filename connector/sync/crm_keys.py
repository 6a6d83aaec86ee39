"""The credential that writes into the CRM: an API key where there is one, else somebody's sign-in.

When the CRM refuses it, the workspace is marked and its syncs wait; a credential that works lets them go on.
"""

from __future__ import annotations

from contextlib import suppress

from connector.core.records import Ref
from connector.errors import ReconnectError, RefusedError, SchemaError
from connector.ports import Seek
from connector.ports.crm_sign_in import CrmKey, CrmSignIn
from connector.store import admins, crm_grants, runs, workspaces
from connector.store.workspaces import Workspace
from connector.sync import holding, mirror
from connector.sync.onboarding import check_rights, crm_key_binding
from connector.sync.tools import Tools
from connector.vault import Vault

_NOBODY = "00000000-0000-4000-8000-000000000000"


def give_key(tools: Tools, vault: Vault, client: CrmSignIn, workspace: Workspace, key: str) -> CrmKey:
    """Check a key and write with it from now on; syncs that waited go on.

    Raises RefusedError for what is no key, a key of another workspace, or one that may not do with records
    what the mappings need; ReconnectError for a key that opens nothing; TryLaterError.
    """
    found = client.key(workspace.crm_url, key, tools.mappings.in_force(workspace).mappings)
    check_fits(found, workspace.crm_workspace_id)
    sealed = vault.seal(key, bound_to=crm_key_binding(workspace.id))
    with tools.database.transaction() as session:
        workspaces.give_key(session, workspace.id, sealed, found.expires_at)
        going_on = runs.resume_all(session, workspace.id, tools.clock())
    _ring(tools, going_on)
    return found


def check_fits(found: CrmKey, crm_workspace_id: str) -> None:
    """Raises RefusedError for a key of another workspace, or one whose role may not do what is needed."""
    if found.workspace.workspace_id != crm_workspace_id:
        raise RefusedError(
            f"This is a key of another workspace, {found.workspace.name or found.workspace.workspace_id}.",
            code="crm_key_workspace",
            remedy="Make the key in the workspace that this page is about.",
        )
    check_rights(found)


def remove_key(tools: Tools, workspace_id: str) -> None:
    """Forget the key: from now on somebody's sign-in writes, where there is one."""
    with tools.database.transaction() as session:
        workspaces.remove_key(session, workspace_id)


def check(tools: Tools, workspace: Workspace) -> None:
    """Ask the CRM whether the credential in use works, and remember the answer; syncs that waited go on.

    Raises ReconnectError when it does not, TryLaterError when the CRM does not say.
    """
    try:
        _try(tools, workspace)
    except ReconnectError as error:
        with tools.database.transaction() as session:
            holding.mark(session, workspace.id, error)
        raise
    with tools.database.transaction() as session:
        workspaces.accept(session, workspace.id)
        going_on = runs.resume_all(session, workspace.id, tools.clock())
    _ring(tools, going_on)


def _try(tools: Tools, workspace: Workspace) -> None:
    """The workspace itself is told to anybody who was ever of it: only records prove that we are let in."""
    writer = tools.open_writer(workspace, "webhook")
    if writer.account().workspace_id != workspace.crm_workspace_id:
        raise ReconnectError("What is kept here opens another workspace.", code="crm_credential")
    for mapping in tools.mappings.in_force(workspace):
        # A CRM that is not prepared yet lets us in all the same.
        with suppress(SchemaError):
            writer.look(mapping, [Seek(Ref(mapping.source, mapping.kind, ""), _NOBODY, ())])


def disconnect(tools: Tools, workspace_id: str, admin_id: str) -> None:
    """Forget what this person granted. Raises RefusedError where there is no such person."""
    with tools.database.transaction() as session:
        admins.get(session, workspace_id, admin_id)
        crm_grants.remove(session, workspace_id, admin_id)


def _ring(tools: Tools, going_on: list[runs.Run]) -> None:
    for run in going_on:
        mirror.ring(tools, run)
