"""Workers that all meet an ended token, each a process of its own; one may be killed at a named step.

    python tests/sync/renewers.py WORKSPACE CONNECTION HOW_MANY FOLDER [STEP]

Each writes into the folder what it came to: a digest of its token, or the code of its error. ``killed`` is
there once one was killed; where it held a claim, the clock of all is five minutes on from then.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector import bootstrap, config
from connector.errors import ConnectorError, TryLaterError
from connector.store import connections
from connector.store.connections import Connection
from connector.sync.tokens import Keeper, live_token

STEPS = (
    "before the intent is kept",
    "before the request is sent",
    "after the request was sent",
    "after the answer came",
    "before it is saved",
    "after it was saved",
)
_PATIENCE = 60.0


class Steps:
    """Kills the first process that comes to the step, and no second one."""

    def __init__(self, folder: Path, step: str) -> None:
        self.mark, self.step = folder / "killed", step

    def at(self, step: str) -> None:
        if step != self.step:
            return
        try:
            self.mark.touch(exist_ok=False)
        except FileExistsError:
            return
        if step != STEPS[0]:  # there its claim was not kept
            self.mark.with_name("claim is void").touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Database:
    """The transactions of a renewal are two: the intent, and what came of it."""

    def __init__(self, database: Any, steps: Steps) -> None:
        self._database, self._steps, self._asked = database, steps, False
        self.reading = database.reading

    def asked(self) -> None:
        self._asked = True

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._database.transaction() as session:
            yield session
            self._steps.at("before it is saved" if self._asked else "before the intent is kept")
        if self._asked:
            self._steps.at("after it was saved")


class Client:
    """Whop's OAuth."""

    def __init__(self, client: Any, steps: Steps, database: Database) -> None:
        self._client, self._steps, self._database = client, steps, database

    def refresh(self, refresh_token: str, *, company_id: str | None) -> Any:
        self._steps.at("before the request is sent")
        self._database.asked()
        made = self._client.refresh(refresh_token, company_id=company_id)
        self._steps.at("after the answer came")
        return made


def watch_answers(steps: Steps) -> None:
    """A step in the HTTP library: the request is out, Whop has acted, and its answer is not read yet."""
    read = http.client.HTTPConnection.getresponse

    def getresponse(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        select.select([self.sock], [], [], 30)
        steps.at("after the request was sent")
        return read(self)

    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]


def clock_of(folder: Path) -> Callable[[], Any]:
    def clock() -> Any:
        late = timedelta(minutes=5) if (folder / "claim is void").exists() else timedelta()
        return bootstrap.clock() + late

    return clock


def keeper_of(parts: bootstrap.Parts, folder: Path, steps: Steps) -> Keeper:
    database = Database(parts.database, steps)
    kept = replace(parts.openers.keeper, database=database, clock=clock_of(folder), pause=time.sleep)  # type: ignore[arg-type]
    return replace(kept, client=Client(kept.client, steps, database))  # type: ignore[arg-type]


def work(keeper: Keeper, connection: Connection) -> str:
    """As a job does: what is to be tried later is."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            token = live_token(keeper, connection)
        except TryLaterError as error:
            if time.monotonic() > until:
                return f"gave up: {error.code}"
        except ConnectorError as error:
            return error.code
        else:
            return hashlib.sha256(token.encode()).hexdigest()


def main(workspace_id: str, connection_id: str, count: str, folder: str, step: str = "") -> None:
    place = Path(folder)
    steps = Steps(place, step)
    parts = bootstrap.build(config.load(dict(os.environ)))
    watch_answers(steps)
    keeper = keeper_of(parts, place, steps)
    go, hold = os.pipe()
    children = []
    for number in range(int(count)):
        if (pid := os.fork()) == 0:
            os.close(hold)
            os.read(go, 1)  # its end, when the parent lets go, starts all at once
            with parts.database.reading() as session:
                connection = connections.get(session, workspace_id, connection_id)
            (place / f"worker-{number}").write_text(work(keeper, connection))
            os._exit(0)
        children.append(pid)
    os.close(hold)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
