"""The language of the rulebook: conditions and sentences, and what they become in Python and Lua."""
