"""What a person changed of the fields and objects of ours: told, and left as it is.

What the mapping does not say (an icon, a description) cannot be otherwise.
"""

from __future__ import annotations

from connector.core.mapping import FieldSpec, ObjectSpec
from connector.crms.twenty.model import Field, Object
from connector.crms.twenty.values import select_value


def of_object(spec: ObjectSpec, there: Object) -> list[str]:
    """Each difference in words; standard objects are Twenty's own, of them only the API name counts."""
    changed = [*_renamed(spec.name, there.name)]
    if there.plural != spec.plural:
        changed.append(f"its plural is {there.plural} in Twenty's API now, and is written there")
    if spec.declared:
        changed += _otherwise("name", there.label, spec.label)
        changed += _otherwise("plural", there.label_plural, spec.label_plural)
        changed += _otherwise("description", there.description, spec.description)
        changed += _otherwise("icon", there.icon or "", spec.icon or "")
    return changed


def of_field(spec: FieldSpec, found: Field) -> list[str]:
    """Each difference in words."""
    changed = [*_renamed(spec.name, found.name)]
    if not spec.declared:
        return changed
    changed += _otherwise("name", found.label, spec.label)
    changed += _otherwise("description", found.description, spec.description)
    changed += _otherwise("icon", found.icon or "", spec.icon or "")
    labels = {select_value(label): label for label in spec.options}
    for option in found.options:
        ours = labels.get(option["value"])
        if ours is None:
            changed.append(f"it has a further option, “{option['label']}”")
        else:
            changed += _otherwise(f"option {ours}", option["label"], ours)
    return changed


def _renamed(ours: str, theirs: str) -> list[str]:
    return [f"it is {theirs} in Twenty's API now, and is written there"] if ours != theirs else []


def _otherwise(what: str, theirs: str, ours: str) -> list[str]:
    return (
        [f"its {what} is “{theirs}” in Twenty and “{ours}” in the mapping"] if ours and theirs != ours else []
    )


def sentence(parts: list[str]) -> str:
    """The differences as one sentence, or nothing."""
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
