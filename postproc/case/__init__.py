"""Many inputs at once: evidence across captures, and comparison of captures from both ends.

It may use `batch` and the rooms below.
"""
