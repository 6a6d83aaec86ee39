"""Twenty's workflow "Create company when adding a new person", which a new workspace has switched on.

It starts for every person that we create, thousands of times in a first load, and where it works it leaves
companies behind that nobody asked for (recording 750). People whose role may manage workflows can switch it
off, with their own sign-in as well; an API key cannot, whatever its role (751, 752).
"""

from __future__ import annotations

from connector.crms.twenty.client import TwentyClient
from connector.errors import ReconnectError, RefusedError, SchemaError, TryLaterError
from connector.ports.crm_model import Workflow

NAME = "Create company when adding a new person"

_FIND = (
    "query($f:WorkflowFilterInput,$n:Int)"
    "{workflows(filter:$f,first:$n){edges{node{id name lastPublishedVersionId statuses}}}}"
)
_SWITCH = "mutation($v:UUID!){%s(workflowVersionId:$v)}"


class TwentyWorkflows:
    """Fills ``ports.Workflows``."""

    def __init__(self, client: TwentyClient) -> None:
        self._client = client

    def for_new_people(self) -> Workflow | None:
        """Found by the name that Twenty gave it; an older Twenty has no workflows."""
        try:
            found = self._client.query(_FIND, {"f": {"name": {"eq": NAME}}, "n": 10})
            nodes = [edge["node"] for edge in found["workflows"]["edges"]]
        except SchemaError:
            return None
        except (KeyError, TypeError):
            raise TryLaterError(
                "Twenty's list of workflows cannot be read.", code="crm_answer_incomplete"
            ) from None
        nodes.sort(key=lambda node: "ACTIVE" not in (node["statuses"] or ()))
        return _workflow(nodes[0]) if nodes and nodes[0]["lastPublishedVersionId"] else None

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


def _workflow(node: dict[str, object]) -> Workflow:
    id_, statuses = str(node["id"]), node["statuses"]
    active = isinstance(statuses, list) and "ACTIVE" in statuses
    return Workflow(
        id_, str(node["name"]), str(node["lastPublishedVersionId"]), active, f"/object/workflow/{id_}"
    )
