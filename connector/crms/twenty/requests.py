"""The field of an opportunity by which people ask for something on Whop, and the one with the answer."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from connector.core.mapping import FieldSpec, ObjectSpec
from connector.core.requests import LABELS, Asker
from connector.crms.twenty import model
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.refusals import Kind, Refusal
from connector.crms.twenty.values import select_value
from connector.crms.twenty.wants import field_body, new_options
from connector.errors import RefusedError, SchemaError, TryLaterError
from connector.ports.crm_requests import Asked

FIELD: Final = "whopAction"
ANSWER: Final = "whopActionResult"
WINDOW: Final = timedelta(seconds=300)
"""How far a delivery's time may be from ours, in either direction."""

_OWNER: Final = ObjectSpec("opportunity", "opportunities", declared=False)
_SPECS: Final = (
    FieldSpec(
        FIELD,
        "select",
        declared=True,
        label="Whop action",
        options=tuple(LABELS),
        description="What is to be done with this membership on Whop. It empties itself once it is taken up.",
        icon="IconBolt",
    ),
    FieldSpec(
        ANSWER,
        "text",
        declared=True,
        label="Whop action result",
        description="What became of the latest Whop action.",
        icon="IconMessage",
    ),
)
_LABEL_OF: Final = {select_value(label): label for label in LABELS}
_MOST: Final = 200
_BY: Final = " updatedBy{source workspaceMemberId name}"


class TwentyRequests:
    """Fills ``ports.crm_requests.CrmRequests``."""

    def __init__(self, client: TwentyClient) -> None:
        self._client = client

    def prepare(self) -> None:
        """Both fields, and every choice; what is there of another type is told, and left alone."""
        there = model.read(self._client).objects[_OWNER.name]
        for spec in _SPECS:
            found = there.fields.get(spec.name)
            if found is None:
                self._send("POST", "fields", field_body(_OWNER, spec, there.id, None))
            elif found.type != ("SELECT" if spec.type == "select" else "TEXT") or not found.active:
                raise SchemaError(
                    f"opportunity.{spec.name} is of the type {found.type} in Twenty, or switched off.",
                    code="crm_schema_conflict",
                    remedy="Rename or delete it in Twenty under Settings, Data model; then try again.",
                )
            elif spec.options and (more := new_options(found.options, spec.options)):
                self._send("PATCH", f"fields/{found.id}", {"options": [*found.options, *more]})

    def waiting(self) -> Sequence[Asked]:
        """Living opportunities whose field holds one of our choices."""
        try:
            rows = self._rows(_BY)
        except SchemaError as error:
            if "updatedBy" not in str(error):
                raise
            rows = self._rows("")  # an older Twenty: who asks is not known there
        return [
            Asked(row["id"], _LABEL_OF[row[FIELD]], row["updatedAt"], _asker(row.get("updatedBy")))
            for row in rows
            if row[FIELD] in _LABEL_OF
        ]

    def _rows(self, by: str) -> list[Mapping[str, Any]]:
        query = (
            "query($f:OpportunityFilterInput,$n:Int){opportunities(filter:$f,first:$n)"
            f"{{edges{{node{{id updatedAt {FIELD}{by}}}}}}}}}"
        )
        wanted = {"and": [{FIELD: {"is": "NOT_NULL"}}, {"deletedAt": {"is": "NULL"}}]}
        found = self._ask(self._client.query, query, {"f": wanted, "n": _MOST})
        return [edge["node"] for edge in found["opportunities"]["edges"]]

    def take(self, id_: str, choice: str, answer: str) -> None:
        """One change, by a filter that leaves a newer choice alone."""
        still = [{"id": {"eq": id_}}, {FIELD: {"eq": select_value(choice)}}]
        self._change({"and": still}, {FIELD: None, ANSWER: answer})

    def answer(self, id_: str, text: str) -> None:
        """A record that was deleted meanwhile needs no answer."""
        self._change({"and": [{"id": {"eq": id_}}, {"deletedAt": {"is": "NULL"}}]}, {ANSWER: text})

    def listen(self, url: str, secret: str) -> str:
        """Registered by REST, which needs the permission for webhooks."""
        body = {
            "targetUrl": url,
            "operations": ["opportunity.updated"],
            "description": "Whop actions",
            "secret": secret,
        }
        try:
            return str(self._client.rest("POST", "/rest/metadata/webhooks", body)["id"])
        except Refusal as refusal:
            raise RefusedError(f"Twenty takes no webhook: {refusal}", code="crm_hook") from refusal
        except (KeyError, TypeError) as error:
            raise TryLaterError("Twenty's answer names no webhook.", code="crm_answer_incomplete") from error

    def unlisten(self, hook_id: str) -> None:
        """By id."""
        try:
            self._client.rest("DELETE", f"/rest/metadata/webhooks/{quote(hook_id, safe='')}")
        except Refusal as refusal:
            if refusal.kind is not Kind.NOT_FOUND:
                raise RefusedError(f"Twenty keeps its webhook: {refusal}", code="crm_hook") from refusal

    def _change(self, which: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        query = (
            "mutation($f:OpportunityFilterInput,$d:OpportunityUpdateInput!)"
            "{updateOpportunities(filter:$f,data:$d){id}}"
        )
        self._ask(self._client.mutate, query, {"f": which, "d": data})

    def _ask(self, send: Any, query: str, variables: Mapping[str, Any]) -> Any:
        try:
            return send(query, variables)
        except Refusal as refusal:
            raise SchemaError(
                f"Twenty does not let the field {FIELD} be read or written: {refusal}",
                remedy="Switch Whop actions off and on again: that makes fields anew that are missing.",
            ) from refusal

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        try:
            self._client.rest(method, f"/rest/metadata/{path}", dict(body))
        except Refusal as refusal:
            raise SchemaError(
                f"Twenty refused to make the field {FIELD}: {refusal}", code="crm_schema_refused"
            ) from refusal


def _asker(actor: Mapping[str, Any] | None) -> Asker:
    told = actor or {}
    return Asker(told.get("source") or "", told.get("workspaceMemberId"), told.get("name") or "")


def is_signed(raw: bytes, headers: Any, secret: str, now: datetime) -> bool:
    """Whether this very body was signed with the secret, not long ago: hex HMAC-SHA256 over time:body."""
    stamp, given = (headers.get(f"X-Twenty-Webhook-{name}", "") for name in ("Timestamp", "Signature"))
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 15):
        return False
    at = datetime.fromtimestamp(int(stamp) / 1000, UTC)
    right = hmac.new(secret.encode(), stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
    fits = hmac.compare_digest(right.encode(), given.encode(errors="replace"))
    return fits and abs(now - at) <= WINDOW


def asks(body: Any) -> bool:
    """Whether a delivery tells of an opportunity whose field holds something: what we write empties it."""
    record = body.get("record") if isinstance(body, Mapping) else None
    return isinstance(record, Mapping) and bool(record.get(FIELD))
