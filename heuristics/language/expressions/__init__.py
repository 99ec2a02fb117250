"""The language of conditions and values: parsed once into a typed tree, compiled to Python and to Lua.

A condition is false wherever an observable that it names outside `known()` is missing, in both targets.
"""

from heuristics.language.expressions.names import Names
from heuristics.language.expressions.parser import (
    MAX_EXACT,
    MAX_OBSERVABLE,
    parse,
    parse_any,
    parse_definition,
    unknown_names,
)
from heuristics.language.expressions.to_lua import lua_reference, to_lua, to_lua_definition
from heuristics.language.expressions.to_python import (
    Evaluate,
    First,
    Test,
    Which,
    to_python,
    to_python_all,
    to_python_first,
    to_python_value,
)
from heuristics.language.expressions.tree import (
    MAX_THRESHOLD,
    Defined,
    Definition,
    Name,
    Node,
    Reference,
    Threshold,
    can_hold,
    definitions_in,
    named,
    required_names,
    walk,
)

__all__ = [
    "MAX_EXACT",
    "MAX_OBSERVABLE",
    "MAX_THRESHOLD",
    "Defined",
    "Definition",
    "Evaluate",
    "First",
    "Name",
    "Names",
    "Node",
    "Reference",
    "Test",
    "Threshold",
    "Which",
    "can_hold",
    "definitions_in",
    "lua_reference",
    "named",
    "parse",
    "parse_any",
    "parse_definition",
    "required_names",
    "to_lua",
    "to_lua_definition",
    "to_python",
    "to_python_all",
    "to_python_first",
    "to_python_value",
    "unknown_names",
    "walk",
]
