"""Which values the columns of a fields export may have. Any other means other options, another program, or damage."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

import polars as pl

from postproc.runtime.errors import CaptureError
from postproc.runtime.text import plural

_SHOWN = 60  # characters of a wrong value that a message repeats

_BYTE = r"25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]"
_16_BITS = r"6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{1,3}|[0-9]"
_32_BITS = (
    r"429496729[0-5]|42949672[0-8][0-9]|4294967[01][0-9]{2}|429496[0-6][0-9]{3}|42949[0-5][0-9]{4}|4294[0-8][0-9]{5}"
    r"|429[0-3][0-9]{6}|42[0-8][0-9]{7}|4[01][0-9]{8}|[1-3][0-9]{9}|[1-9][0-9]{1,8}|[0-9]"
)
_HEXADECIMAL_BYTE, _HEXADECIMAL_16_BITS = r"0x0{0,6}[0-9A-Fa-f]{1,2}", r"0x0{0,4}[0-9A-Fa-f]{1,4}"
_FLOW_LABEL = r"0x0{0,3}[0-9A-Fa-f]{1,5}"
_IPV4 = rf"(?:(?:{_BYTE})\.){{3}}(?:{_BYTE})"
_ONE_VALUE = {
    "frame.number": r"^[1-9][0-9]{0,9}$",
    "frame.time_epoch": r"^-?[0-9]{1,11}(\.[0-9]+)?$",  # 64 bits of microseconds hold them
}
_SEVERAL_VALUES = {
    **dict.fromkeys(("ip.ttl", "ip.proto", "ipv6.hlim", "ipv6.nxt", "tcp.hdr_len"), _BYTE),
    **dict.fromkeys(("icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code"), _BYTE),
    **dict.fromkeys(("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "tcp.window_size_value"), _16_BITS),
    **dict.fromkeys(("tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.options.timestamp.tsval"), _32_BITS),
    "tcp.option_kind": _BYTE,
    **dict.fromkeys(("ip.dsfield", "ipv6.tclass"), _HEXADECIMAL_BYTE),
    **dict.fromkeys(("ip.id", "tcp.flags"), _HEXADECIMAL_16_BITS),
    "ipv6.flow": _FLOW_LABEL,
    **dict.fromkeys(("ip.src", "ip.dst"), _IPV4),
    **dict.fromkeys(("ipv6.src", "ipv6.dst"), r"[0-9A-Fa-f:.]{2,45}"),
    **dict.fromkeys(("eth.src", "eth.dst"), r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"),
    "ip.flags.df": r"[01]|True|False",
}
_SHAPES = _ONE_VALUE | {name: f"^(?:{one})(?:,(?:{one}))*$" for name, one in _SEVERAL_VALUES.items()}
_IPV6 = ("ipv6.src", "ipv6.dst")


@dataclass(slots=True)
class Rejected:
    """The rows of an export that are left out for a wrong value, and why the first of them.

    `what` is what a user counts: lines, where `before` is 1 for the header line, or rows.
    """

    what: str = "line"
    before: int = 1
    count: int = 0
    kept: int = 0
    first: str = ""

    def without(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of the next frame whose values are all right."""
        fits = _fits(frame)
        right = frame.filter(fits)
        if not self.count and right.height < frame.height:
            index = int((~fits).arg_true()[0])
            name, value = _wrong(frame[index])
            self.first = f"a value of {name} is {value}, in {self.what} {self.before + index + 1}"
        self.before += frame.height
        self.kept += right.height
        self.count += frame.height - right.height
        return right

    def reason(self) -> str:
        """What is left out and why."""
        return f"{plural(self.count, 'row')} left out: {self.first}"


def check_values(frame: pl.DataFrame, file: str, remedy: str) -> None:
    """Raises CaptureError, with `file` and `remedy`, for a value that the documented command never prints."""
    wrong = frame.filter(~_fits(frame)).head(1)
    if wrong.height:
        name, value = _wrong(wrong)
        where = "" if name == "frame.number" else f", in frame {wrong['frame.number'][0]}"
        raise CaptureError(file, f"a value of {name} is {value}{where}", remedy)
    check_numbers(frame, file)


def check_numbers(frame: pl.DataFrame, file: str) -> None:
    """Raises CaptureError for frame numbers that occur more than once."""
    if frame["frame.number"].is_duplicated().any():
        raise repeated(file)


def repeated(file: str) -> CaptureError:
    """The error for frame numbers that occur more than once."""
    return CaptureError(file, "frame numbers repeat: two exports in one file?", "summarize them as two files")


def _fits(frame: pl.DataFrame) -> pl.Series:
    """Of each row, whether all its values are right."""
    return frame.select(pl.all_horizontal(_checks(frame).values())).to_series()


def _wrong(row: pl.DataFrame) -> tuple[str, str]:
    """The first column with a wrong value in this row, and the value to show."""
    right = row.select(**_checks(row)).row(0, named=True)
    name = next(name for name, fits in right.items() if not fits)
    return name, repr((row[name][0] or "")[:_SHOWN])


def _checks(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    """Of each column, whether its value is right. Only the number of a frame cannot be missing."""
    checks = {
        name: pl.col(name).str.contains(shape).fill_null(value=name != "frame.number")
        for name, shape in _SHAPES.items()
        if name in frame.columns
    }
    for name in _IPV6:  # a regular expression for them would be longer than this file
        if name in checks and (bad := [text for text in frame[name].drop_nulls().unique() if not _are_ipv6(text)]):
            checks[name] &= ~pl.col(name).is_in(bad).fill_null(value=False)
    return checks


def _are_ipv6(text: str) -> bool:
    try:
        for part in text.split(","):
            IPv6Address(part)
    except AddressValueError:
        return False
    return True
