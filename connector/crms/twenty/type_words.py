"""What Twenty's pages call the types of its fields."""

from __future__ import annotations

from types import MappingProxyType

_WORDS = MappingProxyType(
    {
        "TEXT": "Text",
        "NUMBER": "Number",
        "NUMERIC": "Number",
        "BOOLEAN": "True/False",
        "DATE": "Date",
        "DATE_TIME": "Date and Time",
        "SELECT": "Select",
        "MULTI_SELECT": "Multi-select",
        "CURRENCY": "Currency",
        "EMAILS": "Emails",
        "PHONES": "Phones",
        "LINKS": "Links",
        "FULL_NAME": "Full Name",
        "ADDRESS": "Address",
        "RELATION": "Relation",
        "MORPH_RELATION": "Relation",
        "RATING": "Rating",
        "RAW_JSON": "JSON",
        "RICH_TEXT": "Rich Text",
        "ARRAY": "Array",
        "UUID": "Unique ID",
    }
)


def type_word(type_: str) -> str:
    """In words; of a type that is not known, its own name."""
    return _WORDS.get(type_, type_.replace("_", " ").capitalize())
