"""Records of a log -> sessions: typed columns, and what each of them claims about its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import polars as pl

from heuristics.protocol.tshark_fields import FIN, PROTOCOL_TCP, RST
from postproc.session_log.beginnings import Beginnings
from postproc.session_log.column_map import Claim, ColumnMap
from postproc.session_log.log_time import Clock, durations_us, times_us
from postproc.session_log.records import records_of
from postproc.session_log.text_lines import text_lines

# Times in microseconds by the log's clock; `claim` is a Claim, `flags` the TCP flags of src and dst, in hexadecimal.
SESSION_SCHEMA: dict[str, pl.DataType] = {
    "line": pl.Int64(),
    "start_us": pl.Int64(),
    "end_us": pl.Int64(),
    "src": pl.String(),
    "sport": pl.Int64(),
    "dst": pl.String(),
    "dport": pl.Int64(),
    "nat_src": pl.String(),
    "nat_sport": pl.Int64(),
    "nat_dst": pl.String(),
    "nat_dport": pl.Int64(),
    "tcp": pl.Boolean(),
    "session": pl.String(),
    "rule": pl.String(),
    "reason": pl.String(),
    "flags": pl.String(),
    "claim": pl.String(),
}
_ADDRESSES = ("src", "dst", "nat_src", "nat_dst")
_PORTS = ("sport", "dport", "nat_sport", "nat_dport")
_UNSPECIFIED = ("0.0.0.0", "::")  # how logs write that nothing was translated
_TCP_NAMES = ("tcp", str(PROTOCOL_TCP))


@dataclass(frozen=True, slots=True)
class Batch:
    """Sessions, and the lines beside them: `other` belong to the log and are no ended sessions.

    On `begun` of these a session begins. `not_understood` has the numbers of the lines that are neither.
    """

    sessions: pl.DataFrame
    other: int
    not_understood: list[int]
    begun: int = 0


@contextmanager
def read_sessions(path: Path, column_map: ColumnMap, clock: Clock) -> Iterator[Iterator[Batch]]:
    """The sessions of a log, in batches. Reading raises CaptureError."""
    records, beginnings = records_of(column_map), Beginnings()
    with text_lines(path) as batches:
        yield (sessions_of(records.read(lines), column_map, clock, beginnings) for lines in batches)


def sessions_of(records: pl.DataFrame, column_map: ColumnMap, clock: Clock, beginnings: Beginnings) -> Batch:
    """The sessions among these records (records.py). `beginnings` are those on lines before."""
    absent = [pl.lit(None, pl.String).alias(name) for name in _missing(records)]
    text = records.with_columns(absent).with_columns(
        *(_canonical(records[name]) for name in _ADDRESSES if name in records.columns),
        *(pl.col(name).cast(pl.Int64, strict=False) for name in _PORTS),
    )
    listed = pl.lit(value=True)
    if column_map.only:
        listed = pl.col("kind").str.to_lowercase().is_in([word.lower() for word in column_map.only])
    elsewhere = pl.col("kind").is_not_null() & ~listed if column_map.only else pl.lit(value=False)
    if column_map.other:
        elsewhere |= pl.col("text").str.contains(column_map.other)
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in ("src", "dst"))
    begins = pl.col("text").str.contains(column_map.begin) if column_map.begin else pl.lit(value=False)
    begun = text.filter(begins & whole)
    elsewhere |= begins
    text = text.with_columns(is_session=(listed & whole & ~begins).fill_null(value=False))
    rest = text.filter(~pl.col("is_session"))
    is_other = rest.select(elsewhere.fill_null(value=False).alias("other"))["other"]
    sessions = _typed(text.filter("is_session"), column_map, clock)
    if column_map.begin:
        sessions = beginnings.complete(_typed(begun, column_map, clock), sessions)
    return Batch(
        _untranslated(sessions),
        int(is_other.sum()),
        rest["line"].filter(~is_other).to_list(),
        begun.height,
    )


def _untranslated(sessions: pl.DataFrame) -> pl.DataFrame:
    """The sessions without translated ends that equal the ends themselves."""
    return sessions.with_columns(
        pl.when(pl.col(f"nat_{name}").ne_missing(pl.col(name))).then(f"nat_{name}").alias(f"nat_{name}")
        for name in ("src", "sport", "dst", "dport")
    )


def _missing(records: pl.DataFrame) -> list[str]:
    wanted = {*SESSION_SCHEMA, "start", "end", "duration", "protocol", "kind", "flags_src", "flags_dst"}
    return sorted(wanted - {*records.columns, "start_us", "end_us", "tcp", "flags", "claim"})


def _typed(text: pl.DataFrame, column_map: ColumnMap, clock: Clock) -> pl.DataFrame:
    starts, ends = (times_us(text[name], clock, column_map.time_formats) for name in ("start", "end"))
    lasted = durations_us(text["duration"])
    flags_src, flags_dst = (_flags(text[name], column_map.flags_base) for name in ("flags_src", "flags_dst"))
    shown = [
        " ".join(f"{end} {value:#04x}" for end, value in (("src", src), ("dst", dst)) if value is not None) or None
        for src, dst in zip(flags_src, flags_dst, strict=True)
    ]
    return (
        text.with_columns(
            start_us=starts.fill_null(ends - lasted),
            end_us=ends.fill_null(starts + lasted),
            tcp=pl.col("protocol").str.to_lowercase().is_in(_TCP_NAMES).fill_null(value=True),
            flags=pl.Series(shown, dtype=pl.String),
            claim=_claims(text["reason"], flags_src, flags_dst, column_map),
        )
        .with_columns(pl.when(pl.col(name) > 0).then(name).alias(name) for name in ("nat_sport", "nat_dport"))
        .with_columns(pl.when(~pl.col(name).is_in(_UNSPECIFIED)).then(name).alias(name) for name in _ADDRESSES[2:])
        .select(pl.col(name).cast(kind) for name, kind in SESSION_SCHEMA.items())
    )


def _flags(text: pl.Series, base: int) -> pl.Series:
    """TCP flags as numbers: in `base`, or hexadecimal with 0x in front."""
    lowered = text.str.to_lowercase()
    plain = lowered.str.to_integer(base=base, strict=False)
    return plain.fill_null(lowered.str.strip_prefix("0x").str.to_integer(base=16, strict=False))


def _claims(reason: pl.Series, flags_src: pl.Series, flags_dst: pl.Series, column_map: ColumnMap) -> pl.Series:
    """What each session claims: by the words of `reason`, and where these say nothing, by its TCP flags."""
    by_word = column_map.claims()
    words = reason.str.to_lowercase().replace_strict(by_word, default=None, return_dtype=pl.String)
    frame = pl.DataFrame({"words": words, "src": flags_src, "dst": flags_dst})
    src_reset, dst_reset = (pl.col(end).fill_null(0) & RST != 0 for end in ("src", "dst"))
    fins = (pl.col("src").fill_null(0) & FIN != 0) & (pl.col("dst").fill_null(0) & FIN != 0)
    return frame.select(
        pl.when(pl.col("words").is_not_null())
        .then("words")
        .when(src_reset & dst_reset)
        .then(pl.lit(Claim.RESET.value))
        .when(src_reset)
        .then(pl.lit(Claim.RESET_BY_SRC.value))
        .when(dst_reset)
        .then(pl.lit(Claim.RESET_BY_DST.value))
        .when(fins)
        .then(pl.lit(Claim.FIN.value))
        .otherwise(pl.lit(Claim.NOTHING.value))
    ).to_series()


def _canonical(text: pl.Series) -> pl.Series:
    """Addresses as the packets table writes them; null for what is none."""
    distinct = text.drop_nulls().unique().to_list()
    return text.replace_strict({each: _address(each) for each in distinct}, default=None, return_dtype=pl.String)


def _address(text: str) -> str | None:
    """An address without brackets, zone and the form of IPv4 within IPv6."""
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
