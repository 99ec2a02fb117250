"""The words with which tcpdump prints ICMP and ICMPv6 errors -> type and code (print-icmp.c, print-icmp6.c)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNREACHABLE, _QUENCH, _REDIRECT, _EXCEEDED, _PROBLEM = 3, 4, 5, 11, 12
_V4 = (
    (_UNREACHABLE, 2, r"\S+ protocol \d+ unreachable"),
    (_UNREACHABLE, 3, r"\S+ (?:(?:tcp|udp) port \S+|protocol \d+ port \d+) unreachable"),
    (_UNREACHABLE, 4, r"\S+ unreachable - need to frag"),
    (_UNREACHABLE, 5, r"\S+ unreachable - source route failed"),
    (_UNREACHABLE, 6, r"net \S+ unreachable - unknown"),
    (_UNREACHABLE, 7, r"host \S+ unreachable - unknown"),
    (_UNREACHABLE, 8, r"\S+ unreachable - source host isolated"),
    (_UNREACHABLE, 9, r"net \S+ unreachable - admin prohibited"),
    (_UNREACHABLE, 13, r"host \S+ unreachable - admin prohibited filter"),
    (_UNREACHABLE, 10, r"host \S+ unreachable - admin prohibited"),
    (_UNREACHABLE, 11, r"net \S+ unreachable - tos prohibited"),
    (_UNREACHABLE, 12, r"host \S+ unreachable - tos prohibited"),
    (_UNREACHABLE, 14, r"host \S+ unreachable - host precedence violation"),
    (_UNREACHABLE, 15, r"\S+ unreachable - precedence cutoff"),
    (_UNREACHABLE, 0, r"net \S+ unreachable"),
    (_UNREACHABLE, 1, r"host \S+ unreachable"),
    (_QUENCH, 0, r"source quench"),
    (_REDIRECT, 0, r"redirect \S+ to net "),
    (_REDIRECT, 1, r"redirect \S+ to host "),
    (_REDIRECT, 2, r"redirect-tos \S+ to net "),
    (_REDIRECT, 3, r"redirect-tos \S+ to (?:net|host) "),
    (_EXCEEDED, 0, r"time exceeded in-transit"),
    (_EXCEEDED, 1, r"ip reassembly time exceeded"),
    (_PROBLEM, 0, r"parameter problem - octet "),
    (_PROBLEM, 1, r"parameter problem - code 1\b"),
)
_V6 = (
    (1, 0, r"destination unreachable, +unreachable route "),
    (1, 1, r"destination unreachable, +unreachable prohibited "),
    (1, 2, r"destination unreachable, +beyond scope "),
    (1, 3, r"destination unreachable, +unreachable address "),
    (1, 4, r"destination unreachable, +unreachable port, "),
    (1, 5, r"destination unreachable, +unknown unreach code \(5\)"),
    (1, 6, r"destination unreachable, +unknown unreach code \(6\)"),
    (1, 7, r"destination unreachable, +unknown unreach code \(7\)"),
    (2, 0, r"packet too big"),
    (3, 0, r"time exceeded in-transit for "),
    (3, 1, r"time exceeded in-transit \(reassembly\)"),
    (4, 0, r"parameter problem, errone?r?ous - "),
    (4, 1, r"parameter problem, next header - "),
    (4, 2, r"parameter problem, option - "),
)
_Words = Sequence[tuple[int, int, re.Pattern[str]]]
_WORDS_V4: _Words = [(kind, code, re.compile(words)) for kind, code, words in _V4]
_WORDS_V6: _Words = [(kind, code, re.compile(words)) for kind, code, words in _V6]
_ERROR_V4 = re.compile(r"(?:\S+ ){0,4}(?:unreachable|exceeded|redirect|problem|quench)|time exceeded")
_ERROR_V6 = re.compile(r"destination unreachable|packet too big|time exceeded|parameter problem")


def error_of(words: str, version: int) -> tuple[int, int] | None:
    """Type and code of the ICMP error that these words name, of IP `version`; None where they name none we know."""
    known = _WORDS_V4 if version == 4 else _WORDS_V6
    return next(((kind, code) for kind, code, pattern in known if pattern.match(words)), None)


def is_error(words: str, version: int) -> bool:
    """Whether these words are those of an ICMP error of IP `version`, known or not."""
    return (_ERROR_V4 if version == 4 else _ERROR_V6).match(words) is not None
