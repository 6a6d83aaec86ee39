"""``flask chaos``: a whole installation while everything that can break does, and whether it was survived.

Every process is real. At random, but by a seed, so that a day of it can be repeated: processes are killed,
Redis is emptied, both services answer badly or not at all, tokens expire, deliveries get lost; meanwhile
members join, pay, renew and cancel. Afterwards one incremental sync must suffice: the connector's own
comparison finds every record in step, an auditor of its own agrees (see ``aftermath``).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import redis

from connector import logs
from connector.bootstrap import Parts
from connector.cli import operators, stage
from connector.cli.bench import aftermath, bad_answers, hooked
from connector.cli.bench.bad_answers import Fault
from connector.cli.bench.hooked import Hooked
from connector.cli.bench.report import Report
from connector.cli.stage import Size, Stage
from connector.cli.visitor import Visitor
from connector.errors import ConnectorError, RefusedError
from connector.store import connections
from connector.store.connections import Connection
from connector.store.workspaces import Workspace
from connector.sync import hook_secrets, onboarding

Json = dict[str, Any]
Strike = Callable[["Chaos"], str]

_EACH = 0.5  # seconds between two happenings
_FAULTS_EACH = 4.0
_LOST = 0.05
_TOKEN_SECONDS = 75  # renewed a minute before their end, so every quarter of a minute
_WHOP_LISTS = r"GET /(memberships|members|payments|products)"
_WHOP_TOKENS = r"POST /oauth/token"


@dataclass(slots=True)
class Chaos:
    """What was done to it, and to whom things may happen."""

    there: Hooked
    admin: Visitor
    dice: random.Random
    deck: list[Strike] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)

    def of(self, kind: str, *statuses: str) -> str:
        """The id of a record in one of these states; empty where there is none."""
        found = [one["id"] for one in self.there.whop("GET", f"/records/{kind}") if one["status"] in statuses]
        return self.dice.choice(found) if found else ""

    def drawn(self, service: str, ways: Mapping[str, Fault]) -> str:
        """One of the ways in which it answers badly: each comes once before any comes again."""
        deck = self.answers.setdefault(service, [])
        if not deck:
            deck += self.dice.sample(sorted(ways), len(ways))
        return deck.pop()


def run(minutes: float, seed: int, members: int) -> Report:
    """Let it go on for so long, then look at what is left."""
    report, admin = Report("chaos"), Visitor()
    size = Size(members, members * 2, limits=False)
    settings = {"HTTP_READ_TIMEOUT_SECONDS": str(bad_answers.PATIENCE)}
    with hooked.installation(size, connect=partial(_connect, admin), settings=settings) as there:
        chaos = Chaos(there, admin, random.Random(seed))  # noqa: S311 - chance, not secrecy
        stage.meanwhile(there.supervisor, lambda: _all(report, chaos, minutes))
    return report


def _all(report: Report, chaos: Chaos, minutes: float) -> None:
    chaos.there.sync()
    _listen(chaos.there)
    _rage(chaos, minutes * 60)
    _calm(chaos)
    for name, count in sorted(chaos.happened.items()):
        report.add(f"happened on Whop: {name}", count, "times")
    for name, count in sorted(chaos.faults.items()):
        report.add(f"survived: {name}", count, "times")
    aftermath.judge(report, chaos.there)


def _connect(admin: Visitor, parts: Parts, set_up: Stage, name: str) -> tuple[Workspace, Connection]:
    """As an admin does in a browser: by approval on Whop, whose tokens last a few seconds here."""
    door = parts.door.session(f"{set_up.address('whop')}/sandbox")
    door.request("POST", "/oauth", json={"access_seconds": _TOKEN_SECONDS})
    workspace = stage.workspace_of(parts, set_up, name)
    admin.press(admin.open(operators.link_for(parts, name).url), "Sign in")
    page = admin.press(admin.open(f"{set_up.address('web')}/connect/whop"), "Connect Whop")
    admin.press(admin.press(page, "Approve"), "Agree and start the first sync")
    return workspace, stage.connections_of(parts, workspace)[0]


def _listen(there: Hooked) -> None:
    """A webhook at the sandbox Whop, which delivers, repeats and gives up by itself as Whop does."""
    there.whop("PATCH", "/webhooks", {"public_only": False, "retries": [1, 2, 4, 8, 16]})
    made = there.whop("POST", "/webhooks", {"url": there.address})
    ids = (there.connection.workspace_id, there.connection.id)
    hook_secrets.enter(there.parts.hooks, *ids, "standard", made["webhook_secret"], keep_others=True)


def _rage(chaos: Chaos, seconds: float) -> None:
    end = time.monotonic() + seconds
    next_fault = time.monotonic()
    while time.monotonic() < end:
        _happen(chaos)
        if time.monotonic() >= next_fault:
            _strike(chaos)
            next_fault = time.monotonic() + chaos.dice.uniform(0.5, 1.5) * _FAULTS_EACH
        time.sleep(chaos.dice.uniform(0.5, 1.5) * _EACH)


def _happen(chaos: Chaos) -> None:
    what, kind, statuses = chaos.dice.choice(
        (
            ("join", "", ()),
            ("renew", "memberships", ("active", "trialing")),
            ("pay", "memberships", ("active", "past_due")),
            ("fail", "memberships", ("active",)),
            ("cancel", "memberships", ("active", "trialing")),
            ("expire", "memberships", ("active", "canceling")),
        )
    )
    id_ = chaos.of(kind, *statuses) if kind else ""
    if kind and not id_:
        return
    lost = chaos.dice.random() < _LOST
    chaos.there.whop("POST", "/happen", {"what": what, "id": id_, "silent": lost})
    chaos.happened[what] += 1
    if lost:
        chaos.faults["deliveries that got lost"] += 1


def _strike(chaos: Chaos) -> None:
    """The next of a shuffled deck, so that a short time has some of everything."""
    _approve_again(chaos)
    if not chaos.deck:
        chaos.deck = [_kill, _kill, _flush, _whop_fails, _tokens_fail, _crm_fails, _expire, _sync]
        chaos.dice.shuffle(chaos.deck)
    chaos.faults[chaos.deck.pop()(chaos)] += 1


def _kill(chaos: Chaos) -> str:
    names = [
        name for name in chaos.there.supervisor.pids() if name.startswith(("worker", "web", "scheduler"))
    ]
    name = chaos.dice.choice(names)
    chaos.there.supervisor.kill(name)
    return f"kill -9 of {name.split('-')[0]}"


def _flush(chaos: Chaos) -> str:
    with redis.Redis.from_url(chaos.there.stage.redis.url) as client:
        client.flushall()
    return "Redis emptied"


def _whop_fails(chaos: Chaos) -> str:
    way = chaos.drawn("Whop", bad_answers.WHOP)
    return _dial_whop(chaos, _WHOP_LISTS, bad_answers.WHOP[way], f"Whop: {way}", times=3)


def _tokens_fail(chaos: Chaos) -> str:
    """Met by the next renewal, which the present token's end makes soon."""
    way = chaos.drawn("tokens", bad_answers.TOKENS)
    return _dial_whop(chaos, _WHOP_TOKENS, bad_answers.TOKENS[way], f"Whop's token endpoint: {way}", times=1)


def _dial_whop(chaos: Chaos, match: str, fault: Fault, word: str, *, times: int) -> str:
    chaos.there.whop("POST", "/dials", {"match": match, "fault": fault, "times": times})
    return word


def _crm_fails(chaos: Chaos) -> str:
    way = chaos.drawn("Twenty", bad_answers.CRM)
    door = chaos.there.parts.door.session(chaos.there.stage.address("twenty"))
    dial = {"match": "POST /graphql", "fault": bad_answers.CRM[way], "times": 3}
    door.request("POST", "/sandbox/dials", json=dial)
    return f"Twenty: {way}"


def _expire(chaos: Chaos) -> str:
    """Before its time, beside those that end by it: the connector finds it refused."""
    chaos.there.whop("POST", "/oauth", {"do": "expire_access"})
    return "access tokens expired"


def _sync(chaos: Chaos) -> str:
    """An admin presses the button, whatever is under way."""
    there, kind = chaos.there, chaos.dice.choice(("full", "incremental"))
    reference = logs.new_correlation_id()
    try:
        onboarding.start_sync(
            there.parts.tools, there.connection, kind, why="Chaos", correlation_id=reference
        )
    except RefusedError:
        return "a second click beside a sync"
    return f"{kind} sync in the midst of it"


def _calm(chaos: Chaos) -> None:
    """Nothing breaks any more: what is under way ends, and what was to be delivered arrives."""
    there = chaos.there
    there.whop("DELETE", "/dials")
    there.parts.door.session(there.stage.address("twenty")).request("DELETE", "/sandbox/dials")
    aftermath.wait_until(lambda: _approve_again(chaos))
    there.whop("POST", "/webhooks/retry")
    there.whop("POST", "/webhooks/quiet")
    there.settle()
    aftermath.wait_until(lambda: aftermath.is_quiet(there))


def _approve_again(chaos: Chaos) -> bool:
    """Whop gives a refresh token once: where its answer was lost, by a kill or on its way, an admin sees the
    connection ended and connects it again. What gets into their way too, they try again later."""
    there, ended = chaos.there, _ended(chaos.there)
    if ended is None:
        return True
    try:
        page = chaos.admin.open(f"{there.stage.address('web')}/connect/whop?connection={there.connection.id}")
        chaos.admin.press(chaos.admin.press(page, "Connect Whop"), "Approve")
    except ConnectorError:
        return False
    if _ended(there) is not None:
        return False
    chaos.faults[f"access that an admin approved again ({ended})"] += 1
    return True


def _ended(there: Hooked) -> str | None:
    """Why the connection does not work; None where it does."""
    with there.parts.database.reading() as session:
        now = connections.get(session, there.connection.workspace_id, there.connection.id)
    return None if now.status == "active" else str(now.ended_code)
