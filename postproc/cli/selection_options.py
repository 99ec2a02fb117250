"""The options of `summarize` that choose resets and ICMP errors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class PacketKind(StrEnum):
    """The values of the column `kind`."""

    RST = "rst"
    ICMP = "icmp"


OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="VERDICTS",
        help="Only these verdicts: forged, likely-forged, unclear, likely-genuine, genuine. Commas join several.",
    ),
]
HostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--host", metavar="ADDRESS", help="Only from, to or about this address or network, such as 192.0.2.0/24."
    ),
]
FlowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--flow",
        metavar="FLOW",
        help="Only of this flow: ADDRESS:PORT-ADDRESS:PORT, with IPv6 addresses in [], or a value of the column flow.",
    ),
]
PortOption = Annotated[
    list[str] | None, typer.Option("--port", metavar="PORT", help="Only from or to this port, or ports such as 80-89.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only from this time on: 2026-11-30T20:50:00Z; UTC without a zone."),
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only before this time.")]
KindOption = Annotated[
    PacketKind | None, typer.Option("--kind", help="Only TCP resets (rst), or only ICMP errors (icmp).")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print the answer alone, in a few sentences.")]
FailOnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        metavar="VERDICTS",
        help="End with exit status 3 if a selected reset or ICMP error has one of these verdicts.",
    ),
]
