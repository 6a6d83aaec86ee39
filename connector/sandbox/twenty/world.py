"""Everything the sandbox holds: workspaces, keys, journal, limits, dials and counters, behind one lock."""

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from connector.sandbox.twenty import auth, callers, people, workflows
from connector.sandbox.twenty.auth import Gate
from connector.sandbox.twenty.dials import Dials
from connector.sandbox.twenty.journal import Journal
from connector.sandbox.twenty.limits import Limiter
from connector.sandbox.twenty.oauth_grants import Grants
from connector.sandbox.twenty.postman import Postman
from connector.sandbox.twenty.schema import furnish
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.stats import Stats
from connector.sandbox.twenty.webhooks import letters
from connector.sandbox.twenty.workspace import Workspace, new_id

NAMES = ("Acme", "Globex", "Initech", "Umbrella")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server is set: the batch cap, the limits, recorded times, the answer shape of metadata."""

    batch_cap: int
    rate_limited: bool
    recorded_times: bool
    new_metadata_format: bool
    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(slots=True)
class Server:
    """What a dial turns of the server as a whole: an older one without OAuth, a front end elsewhere (904)."""

    oauth: bool = True
    front_url: str | None = None
    multi_workspace: bool = False
    #: Whether workflows may run code: only then does the prefilled one make companies.
    code_steps: bool = False
    #: What the server lacks: "database", "redis" or nothing.
    down: str | None = None


class World:
    def __init__(self, settings: Settings, folder: Path | None, workspaces: int) -> None:
        self.settings, self.lock = settings, RLock()
        self.journal, self.limiter = Journal(folder), Limiter(settings.now)
        self.dials, self.stats, self.postman = Dials(), Stats(), Postman(settings.now)
        self.secret, self.server = self._secret(), Server()
        self.grants = Grants(self.journal.read("oauth"), self.secret, settings.now)
        self.workspaces = self._workspaces(workspaces)
        self.gate = Gate(self.workspaces, self.secret, self.grants.epochs)
        if folder:
            write_key(folder / "api-key", self.admin_tokens()[0])

    def _secret(self) -> bytes:
        kept = self.journal.read("secret")
        if kept is None:
            kept = secrets.token_hex(32)
            self.journal.write("secret", kept)
        return bytes.fromhex(kept)

    def _workspaces(self, count: int) -> dict[str, Workspace]:
        ids = self.journal.read("workspaces") or []
        found: dict[str, Workspace] = {}
        for at in range(max(count, len(ids))):
            identity = ids[at] if at < len(ids) else new_id()
            found[identity] = self._workspace(identity, NAMES[at % len(NAMES)])
        self.journal.write("workspaces", list(found))
        return found

    def _workspace(self, identity: str, name: str) -> Workspace:
        workspace = Workspace(identity, name)
        kept = self.journal.read(f"workspace {identity}")
        if kept:
            self.journal.load(workspace, kept)
        else:
            furnish(workspace)
            auth.new_key(workspace, "admin", "Whop sync", int(self.settings.now()))
            workflows.furnish(self.system(workspace))
        if not workspace.users:
            domain = f"{name.lower()}.test"
            people.add(self.system(workspace), f"admin@{domain}", "admin")
            people.add(self.system(workspace), f"member@{domain}", "member")
        self.journal.save(workspace)
        return workspace

    def system(self, workspace: Workspace) -> Session:
        """The server itself at work in a workspace."""
        return Session(callers.system(workspace), 1, self.settings.now, self.grants)

    def wait_for_redis(self) -> bool:
        """Whether Redis was down: then requests hang until it is back, and come to nothing (897, 898)."""
        waited = False
        while self.server.down == "redis":
            waited = True
            time.sleep(0.05)
        return waited

    def aftermath(self, session: Session) -> None:
        """What follows from what a request did: workflows, then webhooks."""
        if self.server.code_steps:
            workflows.run(session)
        if session.workspace.webhooks:
            self.postman.take(letters(session))

    def nth(self, which: Any) -> Workspace:
        """A workspace by position or id; the first if None."""
        every = list(self.workspaces.values())
        if which is None or str(which).isdigit():
            return every[int(which or 0)]
        return self.workspaces[str(which)]

    def admin_tokens(self) -> list[str]:
        """The first key of every workspace, which its administrator made."""
        return [
            auth.token_of(workspace, next(iter(workspace.keys.values())), self.secret)
            for workspace in self.workspaces.values()
        ]

    def save(self) -> None:
        if self.grants.changed:
            self.journal.write("oauth", self.grants.kept())
            self.grants.changed = False
        for workspace in self.workspaces.values():
            self.journal.save(workspace)


def write_key(path: Path, token: str) -> None:
    """Only its owner may read the key, from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
