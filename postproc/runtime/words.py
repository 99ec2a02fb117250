"""Words that messages, summaries and stories share."""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """`count` of `thing`, in the plural where it takes one."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
