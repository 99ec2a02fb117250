"""The language of the rulebook: conditions, values and sentences, compiled to Python and Lua.

It knows types and names, but no rulebook.
"""
