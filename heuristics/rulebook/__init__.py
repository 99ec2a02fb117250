"""The rulebook: its files (default/), how they are read, checked and merged, and how evidence becomes a verdict.

schema and reader know one file, overlay merges files, names and texts parse conditions and sentences, model is the
rulebook ready for use, scoring judges by it.
"""
