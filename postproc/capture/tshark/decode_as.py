"""`-d LAYER==VALUE,PROTOCOL`: what tshark is to decode otherwise than by itself, checked once before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from heuristics.errors import visible
from postproc.capture.file_format import pcap_header
from postproc.capture.tshark.program import Tshark
from postproc.runtime.errors import UsageError
from postproc.runtime.temp_files import temporary_folder, writing_temporary

_NO_PACKETS = pcap_header(link_type=1, longest=65535)  # of Ethernet
_EXAMPLE = "write LAYER==VALUE,PROTOCOL as for `tshark -d`, for example udp.port==9000,vxlan"


def with_decode_as(tshark: Tshark, rules: Sequence[str]) -> Tshark:
    """`tshark` with these rules. Raises UsageError for a rule that it refuses, TsharkError and NoRoomError."""
    if not rules:
        return tshark
    decoding = replace(tshark, decode_as=tuple(rules))
    with temporary_folder() as folder:
        capture = Path(folder) / "empty.pcap"
        with writing_temporary():
            capture.write_bytes(_NO_PACKETS)
        for rule in rules:
            with tshark.run(["-n", "-r", str(capture), "-d", rule]) as process:
                refused = process.status != 0
                first = process.messages.partition("\n")[0].removeprefix("tshark: ")
            if refused:
                raise UsageError(visible(f"decode as {rule!r}: {first or 'tshark refuses it'}; {_EXAMPLE}"))
    return decoding
