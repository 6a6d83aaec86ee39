"""Credentials: the company's own key, tokens that tests ask for, and those of OAuth.

The key is made from the seed, so a connector configured yesterday still fits
today. Permissions are those of a key with the role Admin; tests restrict them.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from connector.sandbox.whop import errors
from connector.sandbox.whop.ids import salt, word

ALL_PERMISSIONS: Final = (
    "member:basic:read",
    "member:email:read",
    "member:phone:read",
    "payment:basic:read",
    "plan:basic:read",
    "access_pass:basic:read",
    "company:basic:read",
    "promo_code:basic:read",
    "payment:dispute:read",
    "member:manage",
    "membership:cancel",
    "payment:manage",
    "support_chat:read",
    "support_chat:create",
    "support_chat:message:create",
    "developer:manage_webhook",
)


@dataclass(frozen=True, slots=True)
class Credential:
    """Who calls. ``kind`` is account, app or user; ``state`` live, expired or revoked.

    ``accounts`` are the companies within reach; empty stands for the first one. ``key`` is what requests
    are counted by. ``pin`` is the version of requests that name none. ``quiet``: a list that it may not
    read is empty instead of refused.
    """

    key: str
    kind: str = "account"
    permissions: frozenset[str] = frozenset(ALL_PERMISSIONS)
    state: str = "live"
    accounts: frozenset[str] = frozenset()
    pin: str = errors.VERSIONS[-1]
    quiet: bool = False

    def need(self, permission: str) -> None:
        """Raise the 403 of the API when the permission is missing."""
        if permission not in self.permissions:
            raise errors.lacks(permission)


class Keyring:
    """All credentials by key. The first one is the company's; ``tokens`` knows those of OAuth."""

    def __init__(
        self, seed: int, data_dir: Path | None, tokens: Callable[[str], Credential | None] = lambda key: None
    ) -> None:
        self._seed = seed
        self._tokens = tokens
        self.main = company_key(seed)
        self._known = {self.main: Credential(self.main)}
        if data_dir is not None:
            write_secret(data_dir / "api-key", self.main)

    def caller(self, header: str) -> Credential:
        """The credential of an ``Authorization`` header; raises the 401 of the API."""
        scheme, _, key = header.partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else ""
        found = self._known.get(key) or self._tokens(key)
        if found is None or found.state == "revoked":
            raise errors.missing_credential()
        if found.state == "expired":
            raise errors.expired_credential()
        return found

    def change(self, key: str, **fields: object) -> Credential:
        """Change a credential; KeyError when it is unknown."""
        self._known[key] = replace(self._known[key], **fields)  # type: ignore[arg-type]
        return self._known[key]

    def issue(self, kind: str, permissions: frozenset[str]) -> Credential:
        """A further credential: ``app``, ``user`` or ``account``."""
        name = f"{kind}/{len(self._known)}"
        start = "apik_" if kind != "user" else "whop_at_"
        made = Credential(start + _letters(self._seed, name), kind, permissions)
        self._known[made.key] = made
        return made

    def reset(self) -> None:
        """As at the start: the company's key alone, with all its permissions."""
        self._known = {self.main: Credential(self.main)}


def company_key(seed: int) -> str:
    """The API key of the company of this seed."""
    return f"apik_{_letters(seed, 'company')}"


def _letters(seed: int, name: str) -> str:
    secret = hashlib.sha256(f"key/{seed}/{name}".encode()).hexdigest()
    return f"{word(salt('key', seed, name))}_{secret}"


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text + "\n")
