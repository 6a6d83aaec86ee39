"""What is set up in a CRM: its data model, its lists, its own automations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from connector.core.mapping import Mapping
from connector.core.naming import Names


@dataclass(frozen=True, slots=True)
class SchemaStep:
    """One line of the schema plan.

    ``do`` is create, options (some are added to a choice field), unique (a field is made so), right, drifted
    (a person changed it; left alone) or conflict. ``why`` says what is found, ``todo`` what a person can do
    about it, ``at`` the path of the CRM's page on which.
    """

    do: str
    object: str
    field: str | None
    type: str
    label: str
    why: str = ""
    todo: str = ""
    at: str = ""

    @property
    def changes(self) -> bool:
        """Whether carrying it out changes the CRM."""
        return self.do in ("create", "options", "unique")


@dataclass(frozen=True, slots=True)
class SchemaPlan:
    """The data model beside the mappings. ``version`` is that of the model before it was read, ``names`` what
    is called how in it, and ``lacks`` the right that the credential would need and does not have.
    """

    steps: tuple[SchemaStep, ...]
    names: Names
    version: int
    lacks: str = ""

    @property
    def changes(self) -> tuple[SchemaStep, ...]:
        """What is to be created or widened."""
        return tuple(step for step in self.steps if step.changes)

    @property
    def conflicts(self) -> tuple[SchemaStep, ...]:
        """What only a person can solve."""
        return tuple(step for step in self.steps if step.do == "conflict")


@dataclass(frozen=True, slots=True)
class Workflow:
    """An automation of the CRM. ``version_id`` is what is switched, ``at`` the path of its page."""

    id: str
    name: str
    version_id: str
    active: bool
    at: str


@dataclass(frozen=True, slots=True)
class CrmView:
    """A list in the CRM that shows some of our records. ``at`` is the path of its page, empty before it is
    made; ``lacks`` names what the CRM does not have for it yet.
    """

    name: str
    object: str
    about: str
    at: str = ""
    lacks: tuple[str, ...] = ()


class SchemaKeeper(Protocol):
    """Brings a CRM workspace's data model in line with the mappings."""

    def plan(self, mappings: Collection[Mapping]) -> SchemaPlan:
        """Compare, touching nothing. A credential that may not change the data model still gets a plan."""
        ...

    def apply(self, mappings: Collection[Mapping]) -> SchemaPlan:
        """Create what is missing, and say what was done; safe to repeat.

        Raises SchemaError naming every conflict, ReconnectError when the credential lacks the right.
        """
        ...

    def front(self) -> str:
        """The origin of the CRM's pages; empty where it does not tell."""
        ...


class Workflows(Protocol):
    """The CRM's own automations that our writes set off."""

    def for_new_people(self) -> Workflow | None:
        """The one that makes a company for every new person; None where there is none."""
        ...

    def switch(self, workflow: Workflow, *, on: bool) -> None:
        """Raises RefusedError (code ``crm_workflow``) where the credential may not."""
        ...


class Views(Protocol):
    """Lists in the CRM that are made on request."""

    def look(self, mappings: Collection[Mapping]) -> list[CrmView]:
        """Those that can be made, with what there is of them."""
        ...

    def make(self, mappings: Collection[Mapping]) -> list[CrmView]:
        """Make what is missing; safe to repeat. Raises RefusedError where the credential may not."""
        ...
