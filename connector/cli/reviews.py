"""Commands about records that only a person can place."""

from __future__ import annotations

from typing import Any

import click

from connector.cli import base
from connector.core.plan import Choice, Decision
from connector.store import audit, reviews, workspaces
from connector.store.db import Session
from connector.store.reviews import Review
from connector.sync import deciding

_WHO = "the command line"


@click.group("review")
def review_group() -> None:
    """Records that fit more than one in the CRM, or one that is somebody else's."""


@base.command("list")
@click.argument("workspace")
@click.option("--decided", is_flag=True, help="What was decided instead of what waits.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
def list_(workspace: str, *, decided: bool, limit: int, as_json: bool) -> None:
    """List what waits for a decision, with the CRM records to choose from.

    Example: flask review list acme
    """
    states = (reviews.DECIDED, reviews.DONE) if decided else (reviews.WAITING,)
    with base.parts() as parts, parts.database.reading() as session:
        within = workspaces.named(session, workspace).id
        found = reviews.page(session, within, states, limit=limit).items
    lines = [one_line for one in found for one_line in _lines(one)] or ["Nothing waits for a decision."]
    base.show([_document(one) for one in found], lines, as_json=as_json)


@base.command("decide")
@click.argument("workspace")
@click.argument("review", type=int)
@click.argument("choice", type=click.Choice([*(one.value for one in Choice), "take-back"]))
@click.argument("crm_id", required=False)
def decide(workspace: str, review: int, choice: str, crm_id: str | None, *, as_json: bool) -> None:
    """Link a record to one in the CRM, make a new one for it, leave it out, or take a decision back.

    Example: flask review decide acme 17 link 3f2a…
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            within = workspaces.named(session, workspace).id
            version = reviews.get(session, within, review).version

        def tell(session: Session, one: Review) -> None:
            what = "review_taken_back" if choice == "take-back" else "review_decided"
            about = {"record": f"{one.kind} {one.source_id}", "choice": choice, "linked_to": one.crm_id}
            event = audit.NewEvent(what, parts.tools.clock(), workspace_id=within, about=about)
            audit.record(session, event)

        if choice == "take-back":
            done = deciding.take_back(parts.tools, within, review, tell=tell)
        else:
            made = Decision(Choice(choice), crm_id)
            done = deciding.decide(parts.tools, within, review, made, version=version, who=_WHO, tell=tell)
    base.show(_document(done), _lines(done), as_json=as_json)


def _document(one: Review) -> dict[str, Any]:
    names = ("id", "kind", "source_id", "object", "title", "why", "state", "choice", "crm_id", "decided_by")
    shown = {name: getattr(one, name) for name in (*names, "decided_at", "asked_at", "said", "candidates")}
    return shown | {"may_create": not one.only_one}


def _lines(one: Review) -> list[str]:
    chosen = f" {one.choice}{f' {one.crm_id}' if one.crm_id else ''}" if one.choice else ""
    head = f"{one.id}  {one.state}{chosen}  {one.kind} {one.source_id}  {one.title}  ({one.why})"
    return [head, *(f"    {_candidate(candidate)}" for candidate in one.candidates)]


def _candidate(one: dict[str, Any]) -> str:
    held = f" · tied to {one['holder']}" if one["holder"] else ""
    deleted = " · deleted" if one["deleted"] else ""
    fits = f" · fits by {', '.join(one['fits'])}" if one["fits"] else ""
    return f"{one['id']}  {_named(one['values'])}{fits}{held}{deleted}"


def _named(values: dict[str, Any]) -> str:
    """Names and addresses, which tell people apart."""
    parts = [part for name in ("name", "emails") for part in _texts(values.get(name))]
    return " ".join(parts)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [str(part) for part in value.values() if part]
    return [str(value)] if value else []


for command in (list_, decide):
    review_group.add_command(command)
COMMANDS = (review_group,)
