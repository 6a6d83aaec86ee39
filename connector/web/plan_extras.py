"""What the plan page tells beside the data model: the workflow that makes companies, and lists in Twenty.

Neither is needed to go on, so where it cannot be seen the page says why and shows the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import structlog

from connector.errors import ConnectorError
from connector.ports.crm_model import CrmView, Workflow
from connector.store.workspaces import Workspace
from connector.web import shell
from connector.web.crm_links import CrmLinks

log = structlog.get_logger(__name__)


class View(NamedTuple):
    """A list in Twenty: its link once it is made, what it lacks before it can be."""

    name: str
    about: str
    link: str
    lacks: str


class Extras(NamedTuple):
    """``unseen`` says why one of both is not known."""

    workflow: Workflow | None
    workflow_link: str
    views: list[View]
    unseen: str

    @property
    def can_make(self) -> bool:
        """Whether a list is missing that could be made."""
        return any(not view.link and not view.lacks for view in self.views)


def gathered(workspace: Workspace, crm: CrmLinks) -> Extras:
    """As they are in Twenty now."""
    parts = shell.parts()
    workflow, views, unseen = None, [], ""
    try:
        workflow = parts.openers.workflows(workspace).for_new_people()
        views = [_view(one, crm) for one in parts.openers.views(workspace).look(shell.mappings().mappings)]
    except ConnectorError as error:
        log.info("views or workflows could not be seen", code=error.code)
        unseen = str(error)
    return Extras(workflow, crm.page(workflow.at) if workflow else "", views, unseen)


def _view(one: CrmView, crm: CrmLinks) -> View:
    words = shell.vocabulary()
    lacks = ", ".join(
        words.object(name) if name == one.object else words.field(one.object, name) for name in one.lacks
    )
    return View(one.name, one.about, crm.page(one.at), lacks)
