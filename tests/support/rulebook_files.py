"""A small rulebook to lay others over, and what loading them says."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from heuristics.errors import RulebookError
from heuristics.rulebook.model import Rulebook, Thresholds, load

BASE = (
    """\
[rulebook]
name = "base"
version = 3
description = "For tests"

[verdict]
prior = 10
forged = 300
likely_forged = 100
likely_genuine = -100
genuine = -300

"""
    + "\n".join(["[thresholds]", *(f"{key.name} = 5" for key in fields(Thresholds))])
    + """

[define.most_hops]
meaning = "for tests"
is = "2"

[define.gap_wide]
meaning = "for tests"
is = "hop_gap >= most_hops"

[[rule]]
id = "far"
was = ["far_ipv4", "far_ipv6"]
title = "Far"
when = "gap_wide"
weight = 200
say = "Gap of {hop_gap}"
reference = "RFC 9293"

[[rule]]
id = "front"
title = "Front"
when = "payload_kind == 'bigip'"
weight = -100
say = "A BIG-IP said so"
reference = "F5"
origin = "front-end"

[[reason]]
id = "always"
when = "hop_limit >= 0"
say = "no idea about hop limit {hop_limit}"
"""
)
NEW_RULE = """
[[rule]]
id = "near"
title = "Near"
when = "hop_gap == 0"
weight = -50
say = "No gap"
reference = "none"
"""


RULE = '[[rule]]\nid = "far"\n'
NEAREST = "unknown observable 'hop_gpa' (did you mean 'hop_gap'?)"

# Explanations for the rules of BASE.
STORY = """
[[explanation]]
id = "story"
title = "an honest story"
origin = "endpoint"
explains = ["far"]
cases = [{ when = "window == 1", price = 50 }]
say = "window {window} is honest"
cause = "it does so with window {window}"
reference = "none"
"""
FORGING = """
[[explanation]]
id = "forging"
title = "a forging story"
origin = "middlebox"
explains = ["front"]
cases = [{ when = "window == 2", price = 30 }]
say = "a forger copies window {window}"
cause = "a device copied it"
reference = "none"
"""
CHANGE = '[[explanation]]\nid = "story"\n'


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def overlaid(base: Path, *contents: str | bytes) -> Rulebook:
    overlays = [written(base.parent, f"mine{n}.toml", content) for n, content in enumerate(contents)]
    return load(base, overlays)


def messages(base: Path, *contents: str | bytes) -> list[str]:
    """What loading with these overlays says is wrong, without the folder."""
    with pytest.raises(RulebookError) as raised:
        overlaid(base, *contents)
    return str(raised.value).replace(f"{base.parent}/", "").splitlines()
