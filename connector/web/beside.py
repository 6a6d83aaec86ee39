"""One record of Whop on its way through a mapping file: what stands beside the file's text."""

from __future__ import annotations

from typing import Any, NamedTuple

import structlog

from connector.core.records import Ref, SourceRecord
from connector.errors import ConnectorError
from connector.mapping_files import FileMapping
from connector.store.connections import Connection
from connector.sync import sampling
from connector.sync.mappings import Mapped
from connector.web import mapping_words, shell
from connector.web.vocabulary import Vocabulary

log = structlog.get_logger(__name__)


class Which(NamedTuple):
    """A record by its company, None where there is none, and its id; without one, the newest."""

    company: Connection | None
    id: str


class Preview(NamedTuple):
    """One record on its way; ``why`` says why there is none, or that it is a sample."""

    steps: list[mapping_words.Step]
    record: SourceRecord | None = None
    outcome: Any = None
    why: str = ""


def preview(which: Which, mapping: FileMapping, mapped: Mapped, words: Vocabulary) -> Preview:
    """A real record by these files, or the first test's sample where there is none to be had."""
    one, id_ = which
    if one is None:
        return _sample(mapping, words, "No company is connected yet: this is the sample of the first test.")
    try:
        found = sampling.one(shell.parts().tools, one, mapped, mapping.kind, id_)
    except ConnectorError as error:
        log.info("a record could not be shown", code=error.code)
        return _sample(mapping, words, f"{error} This is the sample of the first test.")
    if found is None:
        told = f"Whop has no {mapping.kind} {id_}." if id_ else f"Whop lists no {mapping.kind}."
        return _sample(mapping, words, f"{told} This is the sample of the first test.")
    steps = list(mapping_words.steps(found.record, mapping, found.outcome, words))
    return Preview(steps, found.record, found.outcome)


def _sample(mapping: FileMapping, words: Vocabulary, why: str) -> Preview:
    given = mapping.tests[0].given if mapping.tests else {}
    record = SourceRecord(Ref(mapping.source, mapping.kind, str(given.get("id") or "sample")), given)
    return Preview(list(mapping_words.steps(record, mapping, None, words)), record, None, why)
