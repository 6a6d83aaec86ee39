"""The CRM's data model, kept in step with the mappings: made on request, watched while runs write.

A run asks for the model's version before each of its jobs, which costs one small request. When it moved, the
model is read again: what was renamed is followed by its id; what is missing or in the way stops the writing
until a person mends it.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from connector.core.naming import Names
from connector.errors import OwnMappingError, SchemaError
from connector.ports import Lane, Writer
from connector.ports.crm_model import SchemaPlan, SchemaStep
from connector.store import links, workspaces
from connector.store.db import Session
from connector.store.workspaces import Workspace
from connector.sync.mappings import Mapped
from connector.sync.tools import Tools
from connector.sync.unwriting import looker

log = structlog.get_logger(__name__)


def plan(tools: Tools, workspace: Workspace, *, admin_id: str | None = None) -> SchemaPlan:
    """The data model beside the mappings; nothing is touched.

    What the workspace's own credential may not do, this admin's sign-in does, or the latest there is.
    """
    known = _as_known(tools, workspace)
    return tools.open_schema(known, admin_id).plan(tools.mappings.in_force(known).mappings)


def provision(tools: Tools, workspace: Workspace, *, admin_id: str | None = None) -> SchemaPlan:
    """Create in the CRM what the mappings declare, and remember what everything is called there."""
    known = _as_known(tools, workspace)
    keeper = tools.open_schema(known, admin_id)
    done = keeper.apply(tools.mappings.in_force(known).mappings)
    front = keeper.front()
    made = {step.object for step in done.changes if step.field is None}
    with tools.database.transaction() as session:
        remember(session, workspace.id, done)
        workspaces.remember_crm(session, workspace.id, crm_front_url=front or None)
        for object_ in {step.object for step in done.changes if step.do == "create"} - made:
            links.doubt(session, workspace.id, object_)
    return done


def open_writer(tools: Tools, workspace: Workspace, lane: Lane) -> Writer:
    """A writer that speaks the CRM's present names.

    Raises SchemaError where the CRM cannot take what the mappings write.
    """
    writer = tools.open_writer(workspace, lane)
    known = workspace.crm_names is not None
    if known and writer.account().schema_version == workspace.schema_version:
        return writer
    there = plan(tools, workspace)
    if not_ready := [*there.conflicts, *there.changes]:
        raise SchemaError(
            f"Twenty is not prepared for the mappings. {' '.join(map(_not_ready, not_ready))}",
            remedy="Look at the plan of what is created in Twenty, or run `flask workspace provision`.",
        )
    log.info("the CRM's data model was read again", version=there.version)
    with tools.database.transaction() as session:
        remember(session, workspace.id, there)
        names = workspaces.get(session, workspace.id).crm_names
    return tools.open_writer(replace(workspace, crm_names=names), lane)


def open_looker(tools: Tools, workspace: Workspace, mapped: Mapped, lane: Lane) -> Writer:
    """A look into the CRM for these mappings, which may not be in force; it can write nothing.

    Raises SchemaError where only a person can make room for what they write.
    """
    writer = tools.open_writer(workspace, lane)
    known = workspace.crm_names is not None and mapped.version == _version(tools, workspace)
    if known and writer.account().schema_version == workspace.schema_version:
        return looker(writer, {})
    there = tools.open_schema(workspace).plan(mapped.mappings)
    if there.conflicts:
        raise SchemaError(
            " ".join(map(_not_ready, there.conflicts)), remedy="See the plan of the connection."
        )
    names = Names.of(workspace.crm_names).with_(there.names)
    writer = tools.open_writer(replace(workspace, crm_names=names.as_json()), lane)
    return looker(writer, _absent(there))


def _version(tools: Tools, workspace: Workspace) -> str | None:
    try:
        return tools.mappings.in_force(workspace).version
    except OwnMappingError:
        return None


def _absent(there: SchemaPlan) -> dict[str, frozenset[str] | None]:
    """What the CRM does not have yet of what the mappings write."""
    missing = [step for step in there.steps if step.do == "create"]
    found: dict[str, frozenset[str] | None] = {}
    for step in missing:
        if step.field is None:
            found[step.object] = None
        elif found.get(step.object, frozenset()) is not None:
            found[step.object] = (found.get(step.object) or frozenset()) | {step.field}
    return found


def _as_known(tools: Tools, workspace: Workspace) -> Workspace:
    """With the names as they are remembered this moment."""
    with tools.database.reading() as session:
        return workspaces.get(session, workspace.id)


def _not_ready(step: SchemaStep) -> str:
    where = f"{step.object}.{step.field}" if step.field else step.object
    words = {"create": "is missing.", "options": "lacks options.", "unique": "is not unique."}
    return step.why if step.do == "conflict" else f"{where} {words[step.do]}"


def remember(session: Session, workspace_id: str, there: SchemaPlan) -> None:
    """Keep what everything is called in the CRM."""
    known = Names.of(workspaces.get(session, workspace_id).crm_names)
    workspaces.remember_crm(
        session,
        workspace_id,
        schema_version=there.version,
        crm_names=known.with_(there.names).as_json(),
    )
