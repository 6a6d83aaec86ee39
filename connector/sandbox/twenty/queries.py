"""GraphQL text to picks: parsed once per text, arguments read per call. No schema is involved.

The executor of graphql-core is not used: it checks selections that the real server leaves unchecked
(an unknown field is null, 409), and it is too slow for bulk answers.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    parse,
)
from graphql.language.ast import BooleanValueNode, FloatValueNode, IntValueNode


@dataclass(frozen=True, slots=True)
class Pick:
    """One selected field: its key in the answer, its name, its arguments unread, what is picked below it."""

    key: str
    name: str
    line: int
    column: int
    arguments: tuple[tuple[str, ValueNode], ...]
    picks: tuple["Pick", ...]

    def args(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {name: read(node, variables) for name, node in self.arguments}


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    picks: tuple[Pick, ...]
    defaults: tuple[tuple[str, ValueNode], ...]

    def variables(self, given: dict[str, Any] | None) -> dict[str, Any]:
        return {name: read(node, {}) for name, node in self.defaults} | (given or {})


class QuerySyntaxError(Exception):
    """The text is no GraphQL; carries the error as the server answers it (437)."""

    def __init__(self, error: GraphQLError) -> None:
        super().__init__(error.message)
        places = [{"line": place.line, "column": place.column} for place in error.locations or ()]
        self.body = {"message": error.message, "locations": places}


@lru_cache(512)
def read_query(text: str, name: str | None) -> Operation:
    """The operation `name` of a query text (the only one if it is None)."""
    try:
        document = parse(text)
    except GraphQLError as error:
        raise QuerySyntaxError(error) from error
    operation = _operation(document, name)
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    defaults = [
        (each.variable.name.value, each.default_value)
        for each in operation.variable_definitions or ()
        if each.default_value is not None
    ]
    picks = _picks(operation.selection_set, fragments)
    return Operation(operation.operation.value, picks, tuple(defaults))


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    for node in found:
        if name is None or (node.name and node.name.value == name):
            return node
    raise QuerySyntaxError(GraphQLError(f'Unknown operation named "{name}".'))


def _picks(
    selection: SelectionSetNode | None, fragments: dict[str, FragmentDefinitionNode]
) -> tuple[Pick, ...]:
    found: list[Pick] = []
    for node in selection.selections if selection else ():
        if isinstance(node, FieldNode):
            found.append(_pick(node, fragments))
        elif isinstance(node, FragmentSpreadNode):
            found += _picks(fragments[node.name.value].selection_set, fragments)
        elif isinstance(node, InlineFragmentNode):
            found += _picks(node.selection_set, fragments)
    return tuple(found)


def _pick(node: FieldNode, fragments: dict[str, FragmentDefinitionNode]) -> Pick:
    key = node.alias.value if node.alias else node.name.value
    token = node.loc.start_token if node.loc else None
    arguments = tuple((each.name.value, each.value) for each in node.arguments or ())
    line, column = (token.line, token.column) if token else (1, 1)
    return Pick(key, node.name.value, line, column, arguments, _picks(node.selection_set, fragments))


def read(node: ValueNode, variables: dict[str, Any]) -> Any:
    """A literal or variable as plain data; enum names become text."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value)
    if isinstance(node, ListValueNode):
        return [read(each, variables) for each in node.values]
    if isinstance(node, ObjectValueNode):
        return {each.name.value: read(each.value, variables) for each in node.fields}
    return None if isinstance(node, NullValueNode) else _scalar(node)


def _scalar(node: Any) -> Any:
    if isinstance(node, IntValueNode):
        return int(node.value)
    if isinstance(node, FloatValueNode):
        return float(node.value)
    return bool(node.value) if isinstance(node, BooleanValueNode) else node.value
