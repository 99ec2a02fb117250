"""What the payload of a reset is (RFC 9293 section 3.5.3 allows one): by how it begins.

Wireshark shows it as the text field `tcp.reset_cause`: up to the first NUL, bytes that are not UTF-8 replaced, control
characters raw or escaped as the version and the output format will. Both engines read the same from each of these.
"""

from __future__ import annotations

import re
from enum import StrEnum


class PayloadKind(StrEnum):
    """What the payload of a reset is."""

    NONE = "none"
    BIGIP = "bigip"
    HENAN = "henan"
    DIAGNOSTIC = "diagnostic"
    TEXT = "text"
    BINARY = "binary"


# How F5 BIG-IP begins the cause it writes into a reset (F5 K13223).
BIGIP_CAUSE = "BIG-IP: [0x"
# The whole payload, up to its NUL, of a firewall's resets in Henan (Wu et al., IEEE Symposium on Security and Privacy
# 2025), which is ten bytes long.
HENAN_PAYLOAD, HENAN_LENGTH = "\x01\x02\x03\x04\x05\x06\x07\x08\t", 10
# The magic cookie, 12345 in CBOR, of a diagnostic payload (draft-ietf-tcpm-rst-diagnostic-payload).
DIAGNOSTIC_COOKIE = "\x1909"

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_TEXT = re.compile(r"[\a-\r -~]*")


def payload_kind(cause: str | None, length: int) -> PayloadKind:
    """What a payload of `length` bytes is, which tshark shows as the field `tcp.reset_cause` with value `cause`."""
    if length == 0:
        return PayloadKind.NONE
    text = _plain(cause or "")
    if text.startswith(BIGIP_CAUSE):
        return PayloadKind.BIGIP
    if text == HENAN_PAYLOAD and length == HENAN_LENGTH:
        return PayloadKind.HENAN
    if text.startswith(DIAGNOSTIC_COOKIE):
        return PayloadKind.DIAGNOSTIC
    return PayloadKind.TEXT if text and _TEXT.fullmatch(text) else PayloadKind.BINARY


def _plain(text: str) -> str:
    """`text` with nothing left to unescape: some versions escape a backslash itself, so once is not enough."""
    while (plain := _ESCAPE.sub(_unescaped, text)) != text:
        text = plain
    return text


def _unescaped(match: re.Match[str]) -> str:
    hexadecimal, octal, letter = match.groups()
    if hexadecimal or octal:
        return chr(int(hexadecimal, 16) if hexadecimal else int(octal, 8) % 256)
    return _LETTERS.get(letter, letter)
