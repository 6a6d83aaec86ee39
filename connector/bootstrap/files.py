"""The mapping files: the operator's, and each workspace's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import MappingSet, load_all, load_texts, recipes_of, texts_of_files
from connector.mapping_files.recipes import joined
from connector.sources.whop import scopes
from connector.sources.whop.catalogue import CATALOGUE as WHOP
from connector.store.db import Database
from connector.sync.mappings import Mappings

SHIPPED_MAPPINGS = Path(__file__).parents[2] / "mappings"


def mappings(directory: str, recipes: Sequence[str] = (), tried: Sequence[Path] = ()) -> MappingSet:
    """The mapping files of a folder, or the shipped ones, with these recipes; and files that are tried.

    Raises MappingFileError naming every mistake.
    """
    own = {path.name for path in Path(directory).glob("*.y*ml")} if directory else set[str]()
    beside = joined(recipes, recipes_of(SHIPPED_MAPPINGS / "recipes"), own) if recipes else {}
    return load_all(Path(directory or SHIPPED_MAPPINGS), WHOP, CRM, {**beside, **texts_of_files(tried)})


def workspace_files(database: Database, directory: str, recipes: Sequence[str]) -> Mappings:
    """What each workspace maps by, the operator's files where it has none of its own."""
    return Mappings(
        database,
        shipped=mappings(directory, recipes),
        recipes=recipes_of(SHIPPED_MAPPINGS / "recipes"),
        load=lambda texts: load_texts(texts, WHOP, CRM),
        summed=scopes.summed,
    )
