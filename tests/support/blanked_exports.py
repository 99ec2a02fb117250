"""Fields exports without some columns: what a text that lacks them has to be judged like."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from postproc.capture.tshark.fields_export import write_tsv
from postproc.capture.tshark.program import find_tshark

# What `tcpdump -v` adds, and no packet list has.
HEADERS = (
    *("ip.ttl", "ip.id", "ip.flags.df", "ip.dsfield", "ip.proto"),
    *("ipv6.hlim", "ipv6.flow", "ipv6.tclass", "ipv6.nxt"),
)


def blanked(capture: Path, folder: Path, columns: Iterable[str] = HEADERS) -> Path:
    """The fields export of a capture, with nothing in these columns."""
    path = folder / f"{capture.name}.tsv"
    with path.open("wb") as file:
        write_tsv(capture, find_tshark(), file)
    table = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    table = table.with_columns(pl.lit(None, pl.String).alias(name) for name in columns)
    table.write_csv(path, separator="\t", quote_style="never")
    return path
