"""The workflow that makes a company for every new person, which a new workspace of Twenty has switched on.

It starts for every person that we create, thousands of times in a first load, and where it works it leaves
companies behind that nobody asked for (recording 750). People whose role may manage workflows can switch it
off, with their own sign-in as well; an API key cannot, whatever its role (751, 752).

It is known by what it does, since people rename it and build others like it: it starts when a person is
made, and one of its steps makes a company. Both stand in its version, as Twenty's source has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connector.crms.twenty.client import TwentyClient
from connector.errors import ReconnectError, RefusedError, SchemaError, TryLaterError
from connector.ports.crm_model import Workflow

Json = Mapping[str, Any]

_MOST = 200  # workflows: more than anybody has
_FIND = "query($n:Int){workflows(first:$n){edges{node{id name lastPublishedVersionId statuses}}}}"
_READ = (
    "query($f:WorkflowVersionFilterInput,$n:Int)"
    "{workflowVersions(filter:$f,first:$n){edges{node{id trigger steps}}}}"
)
_SWITCH = "mutation($v:UUID!){%s(workflowVersionId:$v)}"
_NEW_PERSON = ("person.created", "person.upserted")
_MAKES = ("CREATE_RECORD", "UPSERT_RECORD")


class TwentyWorkflows:
    """Fills ``ports.Workflows``."""

    def __init__(self, client: TwentyClient) -> None:
        self._client = client

    def for_new_people(self) -> Workflow | None:
        """An active one before one that is paused; an older Twenty has no workflows."""
        try:
            published = [one for one in self._nodes("workflows", _FIND, {}) if one["lastPublishedVersionId"]]
            ids = [one["lastPublishedVersionId"] for one in published]
            versions = self._nodes("workflowVersions", _READ, {"f": {"id": {"in": ids}}}) if ids else []
        except SchemaError:
            return None
        ours = {one["id"] for one in versions if _makes_companies(one)}
        found = [_workflow(one) for one in published if one["lastPublishedVersionId"] in ours]
        return min(found, key=lambda one: not one.active, default=None)

    def switch(self, workflow: Workflow, *, on: bool) -> None:
        """By the sign-in of a person who may."""
        act = "activateWorkflowVersion" if on else "deactivateWorkflowVersion"
        try:
            self._client.mutate(_SWITCH % act, {"v": workflow.version_id})
        except ReconnectError as error:
            if error.code != "crm_permission":
                raise
            word = "Activate" if on else "Deactivate"
            raise RefusedError(
                f"This credential may not switch “{workflow.name}” on or off. An API key never may; a person "
                "who is signed in, and whose role may manage workflows, can.",
                code="crm_workflow",
                remedy=f"In Twenty, open Workflows, then “{workflow.name}”; press {word}. Then check again.",
            ) from error

    def _nodes(self, plural: str, query: str, asked: Json) -> list[Json]:
        try:
            found = self._client.query(query, {**asked, "n": _MOST})
            return [edge["node"] for edge in found[plural]["edges"]]
        except (KeyError, TypeError):
            raise TryLaterError(
                "Twenty's list of workflows cannot be read.", code="crm_answer_incomplete"
            ) from None


def _makes_companies(version: Json) -> bool:
    trigger, steps = _parsed(version.get("trigger")), _parsed(version.get("steps"))
    settings = trigger.get("settings") if isinstance(trigger, Mapping) else None
    event = settings.get("eventName") if isinstance(settings, Mapping) else None
    is_listed = isinstance(steps, Sequence) and not isinstance(steps, str)
    return event in _NEW_PERSON and is_listed and any(_makes_company(step) for step in steps or ())


def _makes_company(step: Any) -> bool:
    try:
        return step["type"] in _MAKES and step["settings"]["input"]["objectName"] == "company"
    except (KeyError, TypeError):
        return False


def _parsed(raw: Any) -> Any:
    """Older servers answer JSON fields as text."""
    try:
        return orjson.loads(raw) if isinstance(raw, str) else raw
    except orjson.JSONDecodeError:
        return None


def _workflow(node: Json) -> Workflow:
    id_, statuses = str(node["id"]), node["statuses"]
    active = isinstance(statuses, list) and "ACTIVE" in statuses
    return Workflow(
        id_, str(node["name"]), str(node["lastPublishedVersionId"]), active, f"/object/workflow/{id_}"
    )
