"""One line of ``fields`` or ``links`` → its rule, or every reason why it cannot be one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from connector.core import rules
from connector.core.mapping import FieldRule, FieldSpec, LinkRule, OnMissing, OnNull, Own, Read
from connector.core.records import UNKNOWN
from connector.mapping_files.choices import Choices
from connector.mapping_files.nodes import Node, Scalar, Sequence, shown
from connector.mapping_files.problems import did_you_mean, listed
from connector.mapping_files.reading import Part, missing, part_of, texts_of
from connector.mapping_files.values import (
    SOURCES,
    Ending,
    Finisher,
    Value,
    finished,
    from_paths,
    value_of,
)
from connector.mapping_files.world import World

NAME: Final = re.compile(r"[a-z][a-zA-Z0-9]{0,62}")
FIELD_KEYS: Final = (
    *SOURCES,
    "using",
    "choices",
    "options",
    "type",
    "unique",
    "label",
    "description",
    "own",
    "on_null",
)
LINK_KEYS: Final = ("kind", "id", "on_missing", "own", "label", "description")
LINK_OWN: Final = (Own.ALWAYS, Own.FILL, Own.ONCE)
NOT_BESIDE_STAMP: Final = ("own", "on_null", "unique", "options")
_CUSTOM_ONLY: Final = ("unique", "label", "description")


@dataclass(slots=True)
class Lines:
    """What the lines of one file come to."""

    kind: str
    object: str
    world: World
    choices: Choices
    fields: list[FieldRule] = field(default_factory=list)
    links: list[LinkRule] = field(default_factory=list)
    stamps: list[FieldSpec] = field(default_factory=list)
    endings: dict[str, Ending] = field(default_factory=dict)
    spots: dict[str, Scalar] = field(default_factory=dict)
    chosen: set[str] = field(default_factory=set)
    """The fields with choices: their values are no keys."""

    def add_field(self, name: str, spot: Scalar, node: Node) -> None:
        """Read one entry of ``fields``."""
        part = part_of(node, self.world.problems, f"the field {name}", dict.fromkeys(FIELD_KEYS, ""))
        if part is None:
            return
        self.spots[name] = spot
        type_ = self._type(name, spot, part)
        own = part.word("own", Own, Own.ALWAYS)
        on_null = part.word("on_null", OnNull, OnNull.CLEAR if own is Own.ALWAYS else OnNull.KEEP)
        source = self._one_source(name, spot, part, own)
        if "stamp" in part:
            self._add_stamp(name, spot, part, type_)
            return
        value = value_of(part, self.kind, self.world)
        if type_ is None:
            self.choices.of(part, self._spare_ending())
            return
        ending = Ending(type_, self.world.crm.types[type_], self.world.crm.select_value)
        self.endings[name] = ending
        read = self._read(part, source, value, ending)
        spec = self._spec(name, spot, part, ending)
        words = (
            value.source
            if value
            else (shown(part.table.entries["value"][1]) if "value" in part else "nowhere")
        )
        if read is not None:
            self.fields.append(FieldRule(spec, read, own, on_null, words, spot.line))

    def add_link(self, name: str, spot: Scalar, node: Node) -> None:
        """Read one entry of ``links``."""
        problems = self.world.problems
        part = part_of(node, problems, f"the link {name}", dict.fromkeys(LINK_KEYS, ""))
        if part is None:
            return
        if name in self.spots:
            problems.unfit(spot, f'"{name}" under links and under fields', "it in one of them")
        self.spots[name] = spot
        target = self._target(name, part)
        own = part.word("own", Own, Own.ALWAYS)
        if own not in LINK_OWN:
            problems.unfit(part.node("own") or spot, f'"{own}"', f"{listed(LINK_OWN)} for a link")
        on_missing = part.word("on_missing", OnMissing, OnMissing.FETCH)
        value = self._link_value(name, part)
        spec = self._link_spec(name, spot, part, target)
        kind = part.text("kind") or ""
        if value is not None:
            read = rules.parent_id(value.read)
            self.links.append(LinkRule(spec, kind, read, on_missing, own, value.source, spot.line))

    # --- fields

    def _type(self, name: str, spot: Scalar, part: Part) -> str | None:
        """The CRM type of a field, from the file or from the object itself."""
        problems, types = self.world.problems, self.world.crm.types
        standard = self.world.standard_fields(self.object)
        given = "date_time" if "stamp" in part and "type" not in part else part.text("type")
        if given is not None and given not in types:
            words = [word for word in types if word != "relation"]
            problems.unknown(part.node("type") or spot, given, listed(words), words)
            return None
        if standard.get(name) == "relation" or given == "relation":
            problems.unfit(spot, f"the relation {name} under fields", "it under links")
            return None
        if name in standard:
            self._keep_standard(name, part, standard[name], given)
            return standard[name]
        self._check_name(name, spot)
        if given is None:
            near = did_you_mean(name, standard)
            problems.add(
                spot,
                f'found "{name}", which {self.object} does not have by itself, '
                f"expected a type: and a label: for it, or a standard field{near}",
            )
        return given

    def _keep_standard(self, name: str, part: Part, type_: str, given: str | None) -> None:
        problems = self.world.problems
        if given is not None and given != type_:
            problems.unfit(
                part.node("type") or part.table, f'"{given}"', f"{type_}, the type {name} has in the CRM"
            )
        for key in _CUSTOM_ONLY:
            if key in part:
                problems.unfit(
                    part.spot(key), f"{key}: for the standard field {name}", "it only for fields of your own"
                )

    def _check_name(self, name: str, spot: Scalar) -> None:
        if name in self.world.crm.reserved:
            self.world.problems.unfit(spot, f'"{name}", which the CRM keeps for itself', "another name")
        elif not NAME.fullmatch(name):
            self.world.problems.unfit(spot, f'"{name}"', "a name like whopPlanId, of letters and digits")

    def _one_source(self, name: str, spot: Scalar, part: Part, own: Own) -> str | None:
        """Which of from, value, text and stamp the field has: one, or none if nothing may write it."""
        given = [key for key in SOURCES if key in part]
        if len(given) > 1:
            self.world.problems.unfit(part.spot(given[1]), f"{' and '.join(given)} for {name}", "one of them")
        if not given and own is not Own.NEVER:
            self.world.problems.unfit(spot, f"nothing that {name} comes from", f"{listed(SOURCES)}")
        if given and given[0] in {"value", "stamp"}:
            for key in ("using", "choices"):
                if key in part:
                    self.world.problems.unfit(
                        part.spot(key), f"{key}: beside {given[0]}:", "it beside from: or text:"
                    )
        return given[0] if given else None

    def _add_stamp(self, name: str, spot: Scalar, part: Part, type_: str | None) -> None:
        problems = self.world.problems
        if part.text("stamp") not in {None, "written_at"}:
            problems.unknown(part.spot("stamp"), part.text("stamp") or "", "written_at", ["written_at"])
        for key in NOT_BESIDE_STAMP:
            if key in part:
                problems.unfit(part.spot(key), f"{key}: beside stamp:", "it beside from:, text: or value:")
        if type_ is None:
            return
        if type_ != "date_time":
            problems.unfit(spot, f"a stamp in a field of type {type_}", "a field of type date_time")
        ending = Ending(type_, self.world.crm.types[type_], self.world.crm.select_value)
        self.stamps.append(self._spec(name, spot, part, ending))

    def _read(self, part: Part, source: str | None, value: Value | None, ending: Ending) -> Read | None:
        """The compiled way of a value; None where something on it was reported."""
        problems = self.world.problems
        self._options(part, ending)
        choices = self.choices.of(part, ending)
        if ending.type == "select" and not (
            choices or ending.options or source == "value" or "choices" in part
        ):
            problems.unfit(part.table, "a select field without choices:", "choices: or options:")
        if source is None:
            return rules.constant(UNKNOWN)
        if source == "value":
            node = part.table.entries["value"][1]
            if isinstance(node, Scalar) and node.value is None:
                problems.unfit(node, "nothing", "a value")
            return rules.constant(ending.stored(node, problems))
        return None if value is None else self._finished(part, source, value, ending, choices)

    def _finished(
        self, part: Part, source: str, value: Value, ending: Ending, choices: Finisher | None
    ) -> Read | None:
        spot = part.table.entries[source][1]
        return finished(value, spot, ending, choices, self.world.problems)

    def _options(self, part: Part, ending: Ending) -> None:
        node = part.node("options")
        if node is None:
            return
        if ending.type != "select":
            self.world.problems.unfit(
                part.spot("options"), f"options: for a field of type {ending.type}", "type: select"
            )
            return
        if not isinstance(node, Sequence):
            self.world.problems.unfit(node, shown(node), "a list of labels")
            return
        for one, label in texts_of(node, self.world.problems, "a label"):
            ending.add_option(one, label, self.world.problems)
        ending.fixed = True

    def _spare_ending(self) -> Ending:
        """Stands in where the type is not known, so that the choices' own mistakes are still told."""
        return Ending("select", self.world.crm.types["select"], self.world.crm.select_value)

    def _spec(self, name: str, spot: Scalar, part: Part, ending: Ending) -> FieldSpec:
        if "choices" in part:
            self.chosen.add(name)
        declared = name not in self.world.standard_fields(self.object)
        unique = part.flag("unique", default=False)
        if unique and ending.type != "text":
            self.world.problems.unfit(
                part.spot("unique"),
                f"unique: for a field of type {ending.type}",
                "it for a field of type text",
            )
        label = part.text("label") or ""
        if declared and "label" not in part:
            missing(self.world.problems, part, f"the field {name}", "label")
        return FieldSpec(
            name=name,
            type=ending.type,
            declared=declared,
            label=label if declared else "",
            unique=unique and declared,
            options=tuple(ending.options.values()),
            description=(part.text("description") or "") if declared else "",
        )

    # --- links

    def _target(self, name: str, part: Part) -> str | None:
        """The object a link points at: that of the mapping of its kind."""
        kind = part.text("kind")
        if kind is None:
            if "kind" not in part:
                missing(self.world.problems, part, f"the link {name}", "kind")
            return None
        node, kinds = part.node("kind") or part.table, self.world.source.kinds
        if kind not in kinds:
            self.world.problems.unknown(node, kind, f"a kind of {self.world.source.source}", kinds)
        elif kind not in self.world.targets and self.world.whole:
            mapped = sorted(self.world.targets)
            self.world.problems.unfit(
                node, f'"{kind}", which no file maps', f"a kind that is mapped ({', '.join(mapped)})"
            )
        return self.world.targets.get(kind)

    def _link_value(self, name: str, part: Part) -> Value | None:
        node = part.node("id")
        if node is None:
            missing(self.world.problems, part, f"the link {name}", "id")
            return None
        value = from_paths(node, self.kind, self.world)
        if value is not None and not value.flow <= {"id", "text"}:
            self.world.problems.unfit(node, " or ".join(sorted(value.flow)), "the id of a record")
        return value

    def _link_spec(self, name: str, spot: Scalar, part: Part, target: str | None) -> FieldSpec:
        problems, world = self.world.problems, self.world
        standard = world.standard_fields(self.object)
        if name in standard:
            wanted = world.relation_target(self.object, name)
            if standard[name] != "relation":
                problems.unfit(spot, f"{name}, which is a field of type {standard[name]}", "a relation")
            elif target is not None and wanted != target:
                problems.unfit(
                    part.spot("kind"), f"a kind that becomes {target}", f"one that becomes {wanted}"
                )
            for key in ("label", "description"):
                if key in part:
                    problems.unfit(
                        part.spot(key), f"{key}: for the standard relation {name}", "it only for your own"
                    )
            return FieldSpec(name, "relation", declared=False, target=target or wanted)
        self._check_name(name, spot)
        if "label" not in part:
            near = did_you_mean(name, [one for one, type_ in standard.items() if type_ == "relation"])
            problems.unfit(spot, f"the link {name} without label:", f"label:{near}")
        return FieldSpec(
            name,
            "relation",
            declared=True,
            label=part.text("label") or "",
            description=part.text("description") or "",
            target=target,
        )
