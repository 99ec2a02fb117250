"""The kernel's own word: traces of the functions that send and receive resets, held against captured resets.

On the host where a trace was taken, it settles which resets the kernel sent, and why.

It may use `session_log` and the rooms below.
"""
