"""What the owner allowed which app, with the codes and tokens made from it.

A grant begins with a code (single use, five minutes). The code gives an access
token and a refresh token; a refresh token is good once and gives the next pair.
A code or a refresh token that comes a second time is taken for stolen, and ends
the grant with all its tokens. Only digests are kept, in one file that is replaced
whole; one process at a time.
"""

import base64
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import RLock
from typing import Final, NamedTuple

import orjson

from connector.sandbox.whop import oauth_scopes
from connector.sandbox.whop.auth import Credential, write_secret
from connector.sandbox.whop.oauth_apps import Asked
from connector.sandbox.whop.oauth_errors import invalid_grant, invalid_request

CODE_SECONDS: Final = 300
ACCESS_SECONDS: Final = 3600
#: So long after its end an access token is still answered with "expired" instead of "unknown".
_REMEMBERED: Final = 24 * 3600
_VERIFIER: Final = re.compile(r"[\w.~-]{43,128}", re.ASCII)


@dataclass(slots=True)
class Grant:
    """One consent. ``asked`` is the company_id of the request, ``company`` the one it is limited to."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    scopes: tuple[str, ...]
    asked: str | None
    company: str | None
    code: str
    code_until: float
    code_used: bool = False
    refresh: str | None = None
    spent: list[str] = field(default_factory=list)
    #: Digests of access tokens with their end, in seconds since 1970.
    access: dict[str, float] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Every digest that leads to this grant."""
        return [self.code, *self.spent, *self.access, *filter(None, [self.refresh])]


class Issued(NamedTuple):
    """A fresh pair of tokens."""

    grant: Grant
    access_token: str
    refresh_token: str
    seconds: int


class Grants:
    """All grants of the one user; ``companies`` are the ids of what that user owns."""

    def __init__(self, path: Path | None, companies: tuple[str, ...], now: Callable[[], float]) -> None:
        self._path, self._companies, self.now = path, companies, now
        self._lock = RLock()
        self._grants: list[Grant] = []
        self._by_name: dict[str, Grant] = {}
        self.access_seconds = ACCESS_SECONDS
        if path is not None and path.exists():
            for kept in orjson.loads(path.read_bytes()):
                self._add(Grant(**{**kept, "scopes": tuple(kept["scopes"])}))

    def begin(self, asked: Asked, company: str | None) -> str:
        """Keep a consent and give the code for it; ``company`` None means all that the user owns."""
        code = "ac_" + secrets.token_urlsafe(24)
        with self._lock:
            self._add(
                Grant(
                    client_id=asked.sender.app.id,
                    redirect_uri=asked.sender.redirect_uri,
                    challenge=asked.challenge,
                    nonce=asked.nonce,
                    scopes=asked.scopes,
                    asked=asked.company_id,
                    company=company,
                    code=_digest(code),
                    code_until=self.now() + CODE_SECONDS,
                )
            )
            self._keep()
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Issued:
        """Tokens for a code. A wrong verifier or address leaves the code as it was."""
        with self._lock:
            grant = self._of_client(_digest(code), client_id)
            if grant is None or grant.code != _digest(code):
                raise invalid_grant("Authorization code is not valid")
            if grant.code_used:
                self._end(grant)
                raise invalid_grant("Authorization code has already been used")
            if self.now() >= grant.code_until:
                raise invalid_grant("Authorization code has expired")
            if redirect_uri != grant.redirect_uri:
                raise invalid_grant("redirect_uri does not match")
            if not _VERIFIER.fullmatch(verifier) or challenge_of(verifier) != grant.challenge:
                raise invalid_request("code_verifier does not match")
            grant.code_used = True
            return self._issue(grant)

    def refresh(self, token: str, *, client_id: str, company_id: str | None) -> Issued:
        """The next pair of tokens; a refresh token that was used before ends the grant."""
        with self._lock:
            name = _digest(token)
            grant = self._of_client(name, client_id)
            if grant is None or name not in (grant.refresh, *grant.spent):
                raise invalid_grant("Refresh token is not valid")
            if name != grant.refresh:
                if grant.refresh is not None:  # of a grant that has ended, it tells of no theft
                    self._end(grant)
                raise invalid_grant("Refresh token has been revoked")
            if company_id != grant.asked and (grant.asked or company_id != grant.company):
                raise invalid_request("company_id is not the one of the authorization")
            grant.spent.append(name)
            return self._issue(grant)

    def revoke(self, token: str, *, client_id: str) -> None:
        """End the refresh tokens; access tokens last their hour, and unknown tokens are no error."""
        with self._lock:
            name = _digest(token)
            grant = self._by_name.get(name)
            if grant is None or name not in (grant.refresh, *grant.spent):
                return
            if grant.client_id != client_id:
                raise invalid_grant("The token belongs to another client")
            self._end(grant, access_too=False)

    def find(self, token: str) -> tuple[Grant, bool] | None:
        """The grant behind an access token, and whether the token is past its end."""
        with self._lock:
            name = _digest(token)
            grant = self._by_name.get(name)
            if grant is None or name not in grant.access:
                return None
            return grant, self.now() >= grant.access[name]

    def credential(self, token: str) -> Credential | None:
        """What an access token may do on the API."""
        found = self.find(token)
        if found is None:
            return None
        grant, late = found
        return Credential(
            key=f"grant/{grant.code}",
            kind="user",
            permissions=oauth_scopes.permissions(grant.scopes),
            state="expired" if late else "live",
            accounts=frozenset([grant.company] if grant.company else self._companies),
        )

    def revoke_all(self) -> None:
        """End every grant with all its tokens, as if the owner had removed the app."""
        with self._lock:
            for grant in self._grants:
                self._end(grant)

    def expire_access(self) -> None:
        """Let every access token be past its hour."""
        with self._lock:
            for grant in self._grants:
                grant.access = dict.fromkeys(grant.access, self.now())
            self._keep()

    def counted(self) -> dict[str, int]:
        """How many grants there are, and how many of them can still be refreshed."""
        with self._lock:
            return {"grants": len(self._grants), "live": sum(one.refresh is not None for one in self._grants)}

    def _of_client(self, name: str, client_id: str) -> Grant | None:
        grant = self._by_name.get(name)
        return grant if grant is not None and grant.client_id == client_id else None

    def _issue(self, grant: Grant) -> Issued:
        access, refresh = (f"whop_{kind}_{secrets.token_urlsafe(32)}" for kind in ("at", "rt"))
        now = self.now()
        grant.access = {name: end for name, end in grant.access.items() if end > now - _REMEMBERED}
        grant.access[_digest(access)] = now + self.access_seconds
        grant.refresh = _digest(refresh)
        self._by_name |= dict.fromkeys(grant.names(), grant)
        self._keep()
        return Issued(grant, access, refresh, self.access_seconds)

    def _end(self, grant: Grant, *, access_too: bool = True) -> None:
        grant.spent += filter(None, [grant.refresh])
        grant.refresh, grant.code_used = None, True
        if access_too:
            grant.access = {}
        self._keep()

    def _add(self, grant: Grant) -> None:
        self._grants.append(grant)
        self._by_name |= dict.fromkeys(grant.names(), grant)

    def _keep(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new")
        write_secret(fresh, orjson.dumps([asdict(grant) for grant in self._grants]).decode())
        os.replace(fresh, self._path)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
