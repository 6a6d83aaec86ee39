"""Records of several companies as one table: the public marketplace, the accounts of an owner."""

from collections.abc import Callable

from connector.sandbox.whop.tables import Table
from connector.sandbox.whop.values import Record
from connector.sandbox.whop.world import Shelf


class Names:
    """Ids over several tables: an index says which table in its lowest bits."""

    def __init__(self, tables: list[Table]) -> None:
        self._tables = tables

    def of(self, index: int) -> str:
        """The id of the record at this index."""
        own, which = divmod(index, len(self._tables))
        return self._tables[which].ids.of(own)

    def index(self, text: str) -> int | None:
        """The index behind an id of any of the tables."""
        for which, table in enumerate(self._tables):
            own = table.find(text)
            if own is not None and own * len(self._tables) + which < 1 << 23:
                return own * len(self._tables) + which
        return None


def market(shelves: list[Shelf], kind: str) -> Table:
    """What everybody may see of these companies' products or plans."""
    return joined(shelves, kind, lambda record: record["visibility"] == "visible")


def joined(shelves: list[Shelf], kind: str, wanted: Callable[[Record], bool] = lambda record: True) -> Table:
    """The generated records of these companies that are wanted."""
    tables = [shelf.tables[kind] for shelf in shelves]

    def record(index: int) -> Record:
        own, which = divmod(index, len(tables))
        return tables[which].get(own)

    indexes = [
        own * len(tables) + which
        for which, table in enumerate(tables)
        for own in table.generated()
        if table.has(own) and wanted(table.get(own))
    ]
    return Table(Names(tables), lambda: indexes, indexes.__contains__, record)
