"""The mapping files: the operator's, and each workspace's own."""

from __future__ import annotations

from pathlib import Path

from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import MappingSet, load_all, load_texts
from connector.sources.whop import scopes
from connector.sources.whop.catalogue import CATALOGUE as WHOP
from connector.store.db import Database
from connector.sync.mappings import Mappings

SHIPPED_MAPPINGS = Path(__file__).parents[2] / "mappings"


def mappings(directory: str) -> MappingSet:
    """The mapping files of a folder, or the shipped ones. Raises MappingFileError naming every mistake."""
    return load_all(Path(directory or SHIPPED_MAPPINGS), WHOP, CRM)


def workspace_files(database: Database, directory: str) -> Mappings:
    """What each workspace maps by, the files of this folder where it has none of its own."""
    return Mappings(
        database,
        shipped=mappings(directory),
        load=lambda texts: load_texts(texts, WHOP, CRM),
        summed=scopes.summed,
    )
