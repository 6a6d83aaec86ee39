"""The bench of mapping measures what it says: twenty fields written, the shipped files read."""

from __future__ import annotations

from connector.bootstrap import files
from connector.cli.bench import mapping


def test_it_maps_twenty_fields_and_reads_the_shipped_files():
    report = mapping.bench(records=100, loads=1)
    figures = {one.name: one for one in report.figures}

    assert figures["a membership: fields written"].met
    assert figures["a membership with 20 fields, mapped"].goal == ("<=", 40.0)
    assert figures["reading and checking the shipped files, cold"].goal == ("<=", 150.0)
    assert figures["reading and checking the shipped files, cold"].note == f"{len(files.mappings(''))} files"


def test_the_loop_by_hand_makes_as_many_values():
    assert len(mapping._by_hand(mapping._record(1).fields)) == 20
