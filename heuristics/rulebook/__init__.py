"""The rulebook: its files (default/), how they are read, checked and merged, and how evidence becomes a verdict.

schema and reader know one file, overlay lays files on one another, names and texts parse what they say, model is the
rulebook ready for use, scoring judges by it.
"""
