"""The output columns: one table, with an entry for each column of a row that describes a reset or an ICMP error.

The entries are the fields of ResetRow, so that the type checker knows their types. From this table follow the
construction of rows (postproc/verdicts/result_row.py), the plugin's fields and how it fills them
(generator/templates/ui), how the plugin engine reads them, and the lists in README.md and docs/wireshark.md
(`make docs`).

To add a column that shows an observable, add one entry at the end of ResetRow, with a default value, and run
`make docs plugin`.
"""

# No `from __future__ import annotations`: the annotations of ResetRow are read as objects below.

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum, Flag, StrEnum, auto
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin


class Kind(Flag):
    """The kinds of packets that are judged: TCP resets (`rst`), ICMP and ICMPv6 errors (`icmp`)."""

    RST = auto()
    ICMP = auto()
    BOTH = RST | ICMP


_PACKETS = {Kind.RST: "resets", Kind.ICMP: "ICMP errors", Kind.BOTH: "resets, ICMP errors"}


class ColumnSource(Enum):
    """Where the value of a column comes from."""

    PACKET = auto()  # the capture, the packet itself, or the packet that an ICMP error quotes
    OBSERVABLE = auto()
    JUDGEMENT = auto()


class FieldType(StrEnum):
    """The type of a Wireshark field. The value is the name of the Lua function ProtoField.NAME."""

    STRING = "string"
    BOOL = "bool"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FRAMENUM = "framenum"


class WiresharkField(NamedTuple):
    """A field of the plugin, `rstorigin.NAME`. `packets` says on which packets it stands.

    `meaning` has values in backticks, as Markdown has them.
    """

    name: str
    label: str
    type: FieldType
    packets: str
    meaning: str

    @property
    def description(self) -> str:
        """The meaning as Wireshark shows it: plain text, with a capital letter unless a value comes first."""
        return (self.meaning[0].upper() + self.meaning[1:]).replace("`", "")


class OutputColumn(NamedTuple):
    """One column. `type` is int, float, bool, str or tuple (of texts); None is a value too where it is `optional`.

    `kinds` are the packets for which the column has a value. The value of a reset is its observable `observable`, if
    `source` is OBSERVABLE. That of an ICMP error is then the observable or the derived value (derived_columns in
    postproc/verdicts/judge_icmp.py) that has the name of the column.

    In the packet details, the column stands directly after the column `details_after`, or else in the order of the
    table.
    """

    name: str
    type: type
    optional: bool
    meaning: str
    source: ColumnSource
    kinds: Kind
    observable: str
    field: WiresharkField | None
    details_after: str


class _Entry(NamedTuple):
    """What the table says of a column besides name and type, which are those of the field of ResetRow."""

    meaning: str
    source: ColumnSource
    kinds: Kind = Kind.BOTH
    observable: str = ""  # empty: it has the name of the column
    label: str = ""  # empty: Wireshark has no such field
    field_type: FieldType = FieldType.STRING
    packets: str = ""  # empty: as `kinds` says
    details_after: str = ""


def _packet(meaning: str, **options: Any) -> _Entry:
    return _Entry(meaning=meaning, source=ColumnSource.PACKET, **options)


def _observable(label: str, field_type: FieldType, meaning: str, **options: Any) -> _Entry:
    return _Entry(meaning=meaning, source=ColumnSource.OBSERVABLE, label=label, field_type=field_type, **options)


def _judgement(label: str, meaning: str, **options: Any) -> _Entry:
    return _Entry(meaning=meaning, source=ColumnSource.JUDGEMENT, label=label, **options)


_EVERY_PACKET = "every TCP and ICMP packet"


# Not frozen: hundreds of thousands of rows are made, and to make a frozen one takes six times as long. No code changes
# a row after it is made.
@dataclass(slots=True)
class ResetRow:
    """One judged reset or ICMP error: the table of output columns. None stands for what the capture does not show.

    Names and order are public: a new column goes to the end.
    """

    capture: Annotated[str, _packet("name of the input")]
    frame: Annotated[int, _packet("number of the frame, as Wireshark shows it")]
    time: Annotated[float, _packet("capture time, in seconds since 1970 (UTC)")]
    kind: Annotated[
        Literal["rst", "icmp"],
        _packet("`rst` (a TCP reset) or `icmp` (an ICMP or ICMPv6 error)", label="Kind"),
    ]
    flow: Annotated[
        str, _packet("a display filter that selects the flow, or that of the packet that an ICMP error quotes")
    ]
    src: Annotated[str, _packet("source address: the sender that the packet names")]
    sport: Annotated[int, _packet("source port; of an ICMP error, that of the packet that it quotes")]
    dst: Annotated[str, _packet("destination address")]
    dport: Annotated[int, _packet("destination port; of an ICMP error, that of the packet that it quotes")]
    stage: Annotated[
        str,
        _observable(
            "Stage",
            FieldType.STRING,
            "where the connection stood: `post-syn`, `post-ack`, `post-psh`, `later`, `after-fin`, or `unknown` where "
            "its start is missing",
        ),
    ]
    end_reason: Annotated[
        str | None,
        _observable(
            "Session end reason",
            FieldType.STRING,
            "what a Palo Alto firewall would log: whom the resets name, not who sent them",
            kinds=Kind.RST,
        ),
    ]
    cause: Annotated[
        str | None,
        _judgement("Cause", "what may have made the sender reset: a hypothesis", kinds=Kind.RST),
    ]
    verdict: Annotated[
        str, _judgement("Verdict", "`forged`, `likely forged`, `unclear`, `likely genuine` or `genuine`")
    ]
    origin: Annotated[
        str,
        _judgement("Origin", "`endpoint`, `front-end`, `middlebox` or `unknown`; of ICMP errors also `router`"),
    ]
    suspicion: Annotated[
        int,
        _judgement(
            "Suspicion",
            "how likely another device sent it in another's name, 0-100",
            field_type=FieldType.UINT8,
        ),
    ]
    hop_limit: Annotated[
        int | None,
        _observable(
            "Hop limit",
            FieldType.UINT8,
            "IPv4 TTL or IPv6 hop limit of the header that carries TCP or the ICMP message, also inside tunnels",
            packets=_EVERY_PACKET,
        ),
    ]
    hop_baseline: Annotated[
        int | None,
        _observable(
            "Hop baseline",
            FieldType.UINT8,
            "the most frequent hop limit of the sender's authentic packets, in the flow or else of the host",
            packets=_EVERY_PACKET,
        ),
    ]
    hop_delta: Annotated[
        int | None,
        _observable("Hop delta", FieldType.INT16, "hop limit minus hop baseline", packets=_EVERY_PACKET),
    ]
    distance: Annotated[
        int | None,
        _observable("Distance", FieldType.UINT8, "hops from whoever sent this packet to the capture point"),
    ]
    sender_distance: Annotated[
        int | None,
        _observable(
            "Sender distance",
            FieldType.UINT8,
            "hops from the claimed sender to the capture point",
            observable="baseline_distance",
        ),
    ]
    baseline_source: Annotated[
        str,
        _observable(
            "Baseline source",
            FieldType.STRING,
            "where the hop baseline comes from: `flow`, `host` or `none`",
            details_after="hop_delta",
        ),
    ]
    rtt_us: Annotated[
        int | None,
        _observable(
            "Round trip (us)",
            FieldType.INT64,
            "smallest round trip from the capture point to the sender, in microseconds",
            kinds=Kind.RST,
        ),
    ]
    response_us: Annotated[
        int | None,
        _observable(
            "Response time (us)",
            FieldType.INT64,
            "microseconds since the bytes that the reset acknowledges, or else since the peer's last packet",
            kinds=Kind.RST,
        ),
    ]
    device: Annotated[
        str | None,
        _judgement("Device", "the known device or mechanism whose form it has, and how sure that is"),
    ]
    evidence: Annotated[
        tuple[str, ...],
        _judgement("Evidence", "ids of the rules that fired; of ICMP errors the entry that holds"),
    ]
    reason: Annotated[
        str,
        _judgement("Reason", "why the verdict is unclear", packets="unclear resets and ICMP errors"),
    ]
    quoted_hop_limit: Annotated[
        int | None,
        _observable(
            "Quoted hop limit",
            FieldType.UINT8,
            "hop limit that the packet quoted by an ICMP error had left when it was rejected",
            kinds=Kind.ICMP,
            details_after="baseline_source",
        ),
    ] = None
    where: Annotated[
        str | None,
        _judgement(
            "Sent from",
            "where a suspect reset was sent from, against where the sender that it names sits",
            kinds=Kind.RST,
            packets="suspect resets",
        ),
    ] = None
    ended_connection: Annotated[
        bool | None,
        _observable(
            "Ended the connection",
            FieldType.BOOL,
            "`true` if the connection was open and ended with this reset, `false` if it came after the end or did not "
            "end it; empty where the capture does not show which",
            kinds=Kind.RST,
            details_after="stage",
        ),
    ] = None
    silence_us: Annotated[
        int | None,
        _observable(
            "Silence (us)",
            FieldType.INT64,
            "microseconds of silence before it: of the flow, or of the peer before its last packet, if that was longer",
            kinds=Kind.RST,
        ),
    ] = None

    def __reduce__(self) -> tuple[type["ResetRow"], tuple[Any, ...]]:
        """For processes that exchange many rows: the values alone take less time than what a dataclass does."""
        return ResetRow, _values_of(self)


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(ResetRow))
_values_of = attrgetter(*COLUMNS)


def _output_column(name: str, hint: Any) -> OutputColumn:
    value, entry = get_args(hint)
    parts = get_args(value) if NoneType in get_args(value) else (value,)
    plain = next(part for part in parts if part is not NoneType)
    field = None
    if entry.label:
        packets = entry.packets or _PACKETS[entry.kinds]
        field = WiresharkField(name, entry.label, entry.field_type, packets, entry.meaning)
    return OutputColumn(
        name=name,
        type={Literal: str, tuple: tuple}.get(get_origin(plain), plain),
        optional=NoneType in parts,
        meaning=entry.meaning,
        source=entry.source,
        kinds=entry.kinds,
        observable=entry.observable or (name if entry.source is ColumnSource.OBSERVABLE else ""),
        field=field,
        details_after=entry.details_after,
    )


OUTPUT_COLUMNS: tuple[OutputColumn, ...] = tuple(
    _output_column(name, hint) for name, hint in ResetRow.__annotations__.items()
)

# Fields of the plugin that are no columns.
SCORE = WiresharkField(
    "score", "Score", FieldType.INT32, "resets", "sum of the evidence, in hundredths of a natural-log odds ratio"
)
_PLUGIN_ONLY = (
    SCORE,
    WiresharkField(
        "baseline_frame",
        "Compare with frame",
        FieldType.FRAMENUM,
        "resets and ICMP errors with a baseline",
        "the first packet with the hop baseline that the named sender certainly sent, to compare with",
    ),
    WiresharkField(
        "sent_from",
        "Sent from",
        FieldType.STRING,
        "resets, ICMP errors",
        "hops to whoever sent it, and to the sender that it names, by their hop limits: `0 hops; sender 5`",
    ),
    WiresharkField(
        "state",
        "State",
        FieldType.STRING,
        "resets",
        "`final`, or `provisional` as long as packets of the flow keep coming",
    ),
    WiresharkField(
        "flow_verdict",
        "Flow verdict",
        FieldType.STRING,
        "every packet of a TCP flow with resets",
        'the verdict of the most suspicious of them: `rstorigin.flow_verdict == "forged"` shows whole stories',
    ),
)

WIRESHARK_FIELDS: tuple[WiresharkField, ...] = (
    *(column.field for column in OUTPUT_COLUMNS if column.field is not None),
    *_PLUGIN_ONLY,
)


def observable_columns(kind: Kind) -> tuple[OutputColumn, ...]:
    """The columns of packets of one kind that observables fill, in the order of the table."""
    return tuple(each for each in OUTPUT_COLUMNS if each.source is ColumnSource.OBSERVABLE and kind in each.kinds)


def details_columns(kind: Kind) -> tuple[OutputColumn, ...]:
    """The same in the order in which Wireshark's packet details show them."""
    following: dict[str, list[OutputColumn]] = {}
    for column in OUTPUT_COLUMNS:
        following.setdefault(column.details_after, []).append(column)

    def expanded(column: OutputColumn) -> Iterator[OutputColumn]:
        yield column
        for follower in following.get(column.name, []):
            yield from expanded(follower)

    shown = set(observable_columns(kind))
    return tuple(each for start in following[""] for each in expanded(start) if each in shown and each.field)
