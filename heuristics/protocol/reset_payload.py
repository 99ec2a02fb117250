"""The kinds of payload that a reset may carry (RFC 9293 section 3.5.3), recognised by how they begin.

Wireshark shows the payload as the text field `tcp.reset_cause`: up to the first NUL, with bytes that are not UTF-8
replaced. Control characters are raw or escaped, depending on the version and the output format. Both engines read the
same from each of these.
"""

from __future__ import annotations

import re
from enum import StrEnum


class PayloadKind(StrEnum):
    """The kind of a payload."""

    NONE = "none"
    BIGIP = "bigip"
    HENAN = "henan"
    DIAGNOSTIC = "diagnostic"
    TEXT = "text"
    BINARY = "binary"


# The beginning of the cause that F5 BIG-IP writes into a reset (F5 K13223).
BIGIP_CAUSE = "BIG-IP: [0x"
# The payload, up to its NUL, of the resets of a firewall in Henan, and its whole length in bytes (Wu et al., IEEE
# Symposium on Security and Privacy 2025).
HENAN_PAYLOAD, HENAN_LENGTH = "\x01\x02\x03\x04\x05\x06\x07\x08\t", 10
# A diagnostic payload (draft-ietf-tcpm-rst-diagnostic-payload): in its first form it begins with the cookie 12345 in
# CBOR. In its second one it has 8 bytes, of which the first two are 0x33AA. Wireshark shows "3" for these, and a
# replacement for the byte that is not UTF-8, whichever it is.
DIAGNOSTIC_COOKIE = "\x1909"
DIAGNOSTIC_MAGIC, DIAGNOSTIC_LENGTH = b"\x33\xaa", 8
_MAGIC_SHOWN = "3\ufffd"

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_TEXT = re.compile(r"[\a-\r -~]*")


def payload_kind(cause: str | None, length: int, payload: bytes | None = None) -> PayloadKind:
    """The kind of a payload of `length` bytes; `cause` is what tshark shows of it in the field `tcp.reset_cause`.

    Without the bytes, a `payload` counts as diagnostic where it may be.
    """
    if length == 0:
        return PayloadKind.NONE
    text = plain_text(cause or "")
    if text.startswith(BIGIP_CAUSE):
        return PayloadKind.BIGIP
    if text == HENAN_PAYLOAD and length == HENAN_LENGTH:
        return PayloadKind.HENAN
    magic = text.startswith(_MAGIC_SHOWN) if payload is None else payload.startswith(DIAGNOSTIC_MAGIC)
    if text.startswith(DIAGNOSTIC_COOKIE) or (magic and length == DIAGNOSTIC_LENGTH):
        return PayloadKind.DIAGNOSTIC
    return PayloadKind.TEXT if text and _TEXT.fullmatch(text) else PayloadKind.BINARY


def plain_text(text: str) -> str:
    """What tshark shows of a text, without escapes. Some versions escape a backslash too, so once is not enough."""
    while (plain := _ESCAPE.sub(_unescaped, text)) != text:
        text = plain
    return text


def _unescaped(match: re.Match[str]) -> str:
    hexadecimal, octal, letter = match.groups()
    if hexadecimal or octal:
        return chr(int(hexadecimal, 16) if hexadecimal else int(octal, 8) % 256)
    return _LETTERS.get(letter, letter)
