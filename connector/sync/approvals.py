"""What a person approved at the source: as a connection keeps it, and sealed while a company is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from connector.ports import Approver, SourceAccount, Tokens
from connector.store.connections import Connection
from connector.store.pending import Pending
from connector.sync import tokens
from connector.sync.onboarding import IDENTITY
from connector.vault import Vault


@dataclass(frozen=True, slots=True)
class Approval:
    """Tokens, who granted them, and when the access token began to run."""

    tokens: Tokens
    approver: Approver
    at: datetime


def binding(workspace_id: str, id_: str, what: str) -> str:
    """The row a sealed part of an authorization belongs to."""
    return f"pending_authorization:{workspace_id}:{id_}:{what}"


def connection_of(
    approval: Approval,
    account: SourceAccount,
    asked: Iterable[str],
    *,
    workspace_id: str,
    id_: str,
    vault: Vault,
) -> Connection:
    """The connection as it is kept. Its ``scopes`` are what is granted, not what was asked for."""
    bare = Connection(
        id=id_,
        workspace_id=workspace_id,
        service="whop",
        company_id=account.company_id,
        company_title=account.title,
        auth="oauth",
        secret_sealed=None,
        refresh_sealed=None,
        expires_at=None,
        source_user_id=approval.approver.id,
        scopes=_granted(approval, account, asked),
        status="active",
        last_sync_at=None,
        created_at=approval.at,
        notes_since=approval.at,
    )
    sealed = tokens.sealed(vault, bare, approval.tokens, approval.at)
    return replace(
        bare,
        secret_sealed=sealed.secret_sealed,
        refresh_sealed=sealed.refresh_sealed,
        expires_at=sealed.expires_at,
    )


def _granted(approval: Approval, account: SourceAccount, asked: Iterable[str]) -> list[str]:
    """The source's check by name decides; of the identity scopes only the token's answer tells."""
    told = approval.tokens.scopes
    return [
        one
        for one in asked
        if one not in account.missing and (one not in IDENTITY or told is None or one in told)
    ]


def wrapped(vault: Vault, row: Pending, approval: Approval) -> str:
    """The tokens sealed, for the row of their authorization."""
    given = approval.tokens
    plain = orjson.dumps([given.access, given.refresh, given.expires_in, given.scopes, approval.at]).decode()
    return vault.seal(plain, bound_to=binding(row.workspace_id, row.id, "grant"))


def unwrapped(vault: Vault, row: Pending) -> Approval:
    """What ``wrapped`` sealed. Raises VaultError where it does not open."""
    plain = vault.open(row.grant_sealed or "", bound_to=binding(row.workspace_id, row.id, "grant"))
    access, refresh, expires_in, scopes, at = orjson.loads(plain)
    given = Tokens(access, refresh, expires_in, None if scopes is None else tuple(scopes))
    approver: dict[str, Any] = (row.offer or {})["approver"]
    return Approval(given, Approver(**approver), datetime.fromisoformat(at))
