"""What the sender of a reset says itself: the cause that a load balancer writes, and RST diagnostic payloads.

The plugin reads the same in Lua (generator/templates/decode/stated_cause.lua.j2), function by function.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from heuristics.protocol.reset_payload import DIAGNOSTIC_LENGTH, DIAGNOSTIC_MAGIC, PayloadKind, plain_text

# A diagnostic payload has one of two forms (draft-boucadair-tcpm-rst-diagnostic-payload-09 and
# draft-ietf-tcpm-rst-diagnostic-payload-02). The first is CBOR: the number 12345 and a map of these keys. The second is
# 0x33AA, the reason in 16 bits, and an enterprise number in 32 bits.
COOKIE, COOKIE_LENGTH = 0x193039, 3
REASON_KEY, ENTERPRISE_KEY, DESCRIPTION_KEY = 1, 2, 3
UNSIGNED, TEXT, MAP = 0, 3, 5  # major types of CBOR (RFC 8949)

LONGEST = 100  # characters of a cause that are kept

# The reasons of both drafts ("TCP Failure Causes"), in our words. They hold for the enterprise number 0.
REASONS = {
    1: "illegal option",
    2: "desynchronized state",
    3: "new data after the application had closed",
    4: "abort by the application",
    5: "unexpected acknowledgement during the handshake",
    6: "unexpected SYN inside the window",
    7: "unexpected security level",
    8: "malformed message",
    9: "not authorized",
    10: "no resources left",
    11: "network failure",
    12: "reset received from the other side",
    13: "destination unreachable",
    14: "connection timed out",
    15: "too much outstanding data",
    16: "performance not acceptable",
    17: "interference of a middlebox",
}

_PRINTABLE = re.compile(r"[ -~]*")


class Diagnosis(NamedTuple):
    """What a diagnostic payload says. The reason is one of REASONS if the enterprise number is 0.

    A reason is missing where there is only a description, in words.
    """

    reason: int | None
    enterprise: int
    description: str | None


def diagnosis(payload: bytes) -> Diagnosis | None:
    """What a reset's payload says if it is a whole diagnostic payload."""
    if len(payload) == DIAGNOSTIC_LENGTH and payload.startswith(DIAGNOSTIC_MAGIC):
        return Diagnosis(int.from_bytes(payload[2:4]), int.from_bytes(payload[4:]), None)
    begins = int.from_bytes(payload[:COOKIE_LENGTH]) == COOKIE
    return _from_cbor(payload, COOKIE_LENGTH) if begins else None


def _from_cbor(payload: bytes, at: int) -> Diagnosis | None:
    major, pairs, at = _head(payload, at)
    if major != MAP:
        return None
    found: dict[int, int] = {}
    description = None
    for _ in range(min(pairs, DESCRIPTION_KEY)):
        major, key, at = _head(payload, at)
        kind, value, at = _head(payload, at)
        if major != UNSIGNED or kind not in (UNSIGNED, TEXT):
            return None
        if kind == TEXT:
            description, at = payload[at : at + value].decode("latin-1"), at + value
        else:
            found[key] = value
    reason, enterprise = found.get(REASON_KEY), found.get(ENTERPRISE_KEY, 0)
    if at > len(payload) or (reason or 0) >= 2**16 or enterprise >= 2**32 or (reason is None and not description):
        return None
    return Diagnosis(reason, enterprise, description)


def _head(payload: bytes, at: int) -> tuple[int, int, int]:
    """The major type and value of the CBOR item at `at`, and where it ends. Type -1: none that a diagnosis has."""
    if at >= len(payload):
        return -1, 0, at
    major, value = divmod(payload[at], 32)
    size = {24: 1, 25: 2, 26: 4}.get(value, 0)
    if value > 26 or at + 1 + size > len(payload):
        return -1, 0, at
    return major, int.from_bytes(payload[at + 1 : at + 1 + size]) if size else value, at + 1 + size


def stated_cause(kind: PayloadKind, text: str | None, trailer: str | None, said: Diagnosis | None) -> str | None:
    """Why the sender says that it reset the connection; None where it does not.

    `kind` and `text` are those of the payload, `trailer` is the cause in the Ethernet trailer of an F5 BIG-IP, both
    texts as tshark shows them.
    """
    if trailer:
        return _printable(plain_text(trailer))
    if kind is PayloadKind.BIGIP:
        return _printable(plain_text(text or "").partition("] ")[2])
    if said is None:
        return None
    if said.reason is None:
        return _printable(said.description or "")
    if said.enterprise:
        return f"reason {said.reason} of enterprise {said.enterprise}"
    return f"reason {said.reason}" + (f", {REASONS[said.reason]}" if said.reason in REASONS else "")


def _printable(text: str) -> str | None:
    """The printable beginning of a text, as far as it is kept; the rest may differ between versions of Wireshark."""
    found = _PRINTABLE.match(text)
    return found[0][:LONGEST].strip(" ") or None if found else None
