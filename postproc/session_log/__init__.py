"""Compares session logs of firewalls and monitors with captured packets: which entries about resets are right?

A column map (formats/*.toml) describes how a log is written; the code knows no product. The way of a log:
`text_lines` -> `records` -> `sessions` -> `matching` (with `clock_offset`) -> `judgement` -> `comparison`.

It may use `case` and the rooms below.
"""
