"""The language of `when`: parsed once into a typed tree, compiled to Python and to Lua.

A condition is false wherever an observable that it names outside `known()` is missing, in both targets.
"""

from heuristics.language.expressions.parser import MAX_EXACT, MAX_OBSERVABLE, parse
from heuristics.language.expressions.to_lua import to_lua
from heuristics.language.expressions.to_python import Test, Which, to_python, to_python_all
from heuristics.language.expressions.tree import Node, named, required_names, walk

__all__ = [
    "MAX_EXACT",
    "MAX_OBSERVABLE",
    "Node",
    "Test",
    "Which",
    "named",
    "parse",
    "required_names",
    "to_lua",
    "to_python",
    "to_python_all",
    "walk",
]
