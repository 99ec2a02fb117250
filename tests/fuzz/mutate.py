"""Makes odd inputs from sound ones: bytes, numbers, pieces and lines that are wrong, gone, doubled or moved."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

_NUMBERS = (0, 1, 2, 4, 7, 8, 20, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1)
_WORDS = (
    *(b",", b"\t", b"\n", b"\0", b'"', b"'", b"[", b"]", b"{", b"}", b".", b"=", b"-", b"0x", b"::", b"1e9", b"nan"),
    *(b"999.1.1.1", b"1::2::3", b"\xff\xfe", b"\xe2\x80\xae", b"\x1b[31m", b"'''", b'"""', b"9" * 30, b"-1", b"not "),
)
_HEADER, _RECORD = 24, 16  # bytes of a pcap file and of a record before what follows


def mutated(seeds: Sequence[bytes], random: Random) -> bytes:
    """One of the seeds, changed in a few places."""
    content = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        if not content:
            break
        random.choice(_CHANGES)(content, random)
    return bytes(content)


def mutated_packets(seed: bytes, random: Random, most: int = 3) -> bytes:
    """A sound pcap file, most of whose packets are changed: the frame around each of them stays right."""
    order = "<" if seed[0] in (0xD4, 0x4D) else ">"
    content, at = bytearray(seed[:_HEADER]), _HEADER
    while at + _RECORD <= len(seed):
        seconds, parts, captured, wire = struct.unpack_from(f"{order}IIII", seed, at)
        packet = bytearray(seed[at + _RECORD : at + _RECORD + captured])
        at += _RECORD + captured
        for _ in range(random.randrange(most)):
            if packet:
                random.choice(_CHANGES_WITHIN)(packet, random)
        if random.randrange(12) == 0:
            seconds = random.choice((0, 1, seconds + 86_400, seconds - 700_000_000, 2**31 - 1, 2**31 + 5, seconds ^ 1))
        wire = max(len(packet), wire if random.randrange(6) else random.choice((len(packet), 1500, 65535)))
        for _ in range(random.choice((1, 1, 1, 1, 0, 2))):
            content += struct.pack(f"{order}IIII", seconds, parts, len(packet), wire) + packet
    return bytes(content)


def _flip(content: bytearray, random: Random) -> None:
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _set(content: bytearray, random: Random) -> None:
    content[random.randrange(len(content))] = random.choice((0, 1, 4, 5, 6, 0x45, 0x60, 0x7F, 0x80, 0xFF))


def _number(content: bytearray, random: Random) -> None:
    form = random.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    if len(content) >= size:
        at = random.randrange(len(content) - size + 1) & ~1
        at = min(at, len(content) - size)
        old = struct.unpack_from(form, content, at)[0]
        new = random.choice((random.choice(_NUMBERS), old + random.choice((-9, -8, -1, 1, 2, 8)), len(content)))
        struct.pack_into(form, content, at, new % (1 << 8 * size))


def _cut(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


def _remove(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content))
    del content[at : at + random.choice((1, 2, 4, 12, 40))]


def _repeat(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content))
    piece = content[at : at + random.choice((1, 4, 16, 60, 400))]
    content[at:at] = piece * random.choice((1, 1, 2, 50))


def _insert(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content) + 1)
    content[at:at] = random.choice((random.choice(_WORDS), random.randbytes(random.choice((1, 2, 4, 8)))))


def _line(content: bytearray, random: Random) -> None:
    lines = bytes(content).split(b"\n")
    index = random.randrange(len(lines))
    match random.randrange(3):
        case 0:
            del lines[index]
        case 1:
            lines.insert(random.randrange(len(lines)), lines[index])
        case _:
            cells = lines[index].split(b"\t")
            cells[random.randrange(len(cells))] = random.choice(_WORDS)
            lines[index] = b"\t".join(cells)
    content[:] = b"\n".join(lines)


Change = Callable[[bytearray, Random], None]
_CHANGES: Sequence[Change] = (_flip, _set, _number, _number, _cut, _remove, _repeat, _insert, _line)
_CHANGES_WITHIN: Sequence[Change] = (_flip, _set, _number, _number, _number, _cut, _remove, _insert)
