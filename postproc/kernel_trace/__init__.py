"""Reads traces of a host's kernel, and says which captured resets that kernel sent, and why.

It may use `session_log` and the rooms below.
"""
