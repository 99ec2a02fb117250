"""The tables of a rulebook file: which keys they have, and which values these take.

Every key but an id may be left out here, since a file may lie over another. Conditions, definitions and sentences are
texts here: heuristics/rulebook/texts.py checks them when all files are merged.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from heuristics.language.expressions import MAX_THRESHOLD

MAX_TEXT = 2000  # characters of any text in a rulebook
MAX_CONDITIONS = 50  # in a list of which one has to hold
MAX_WEIGHT = 2000  # centi-nats: odds of e^20, far beyond what one observation can prove
MAX_LIMIT = 100_000  # centi-nats, far beyond any sum of weights

IDENTIFIER = r"^[a-z][a-z0-9_]*$"
SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _printable(text: str) -> str:
    if text.isprintable():  # nearly always, and much quicker
        return text
    for column, character in enumerate(text, 1):
        if not character.isprintable():
            raise PydanticCustomError(
                "text", "{reason}", {"column": column, "reason": f"{character!a} is not a printable character"}
            )
    return text


def _expression(given: Any) -> str | tuple[str, ...]:
    """One text, or a list of texts as a tuple."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise PydanticCustomError("expression", "must be text or a list of texts, not {shown}", {"shown": repr(given)})
    if not 1 <= len(given) <= MAX_CONDITIONS:
        raise PydanticCustomError("expression", f"must have from 1 to {MAX_CONDITIONS} texts")
    return tuple(given)


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_printable)]
_Texts = Annotated[list[str], Field(min_length=1, max_length=MAX_CONDITIONS)]
Expression = Annotated[str | tuple[str, ...], PlainValidator(_expression, json_schema_input_type=str | _Texts)]
Identifier = Annotated[str, Field(pattern=IDENTIFIER, max_length=64)]
Slug = Annotated[str, Field(pattern=SLUG, max_length=64)]
Weight = Annotated[int, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]
Limit = Annotated[int, Field(ge=-MAX_LIMIT, le=MAX_LIMIT)]
Percent = Annotated[int, Field(ge=1, le=100)]
Suspicion = Annotated[int, Field(ge=0, le=100)]
Threshold = Annotated[int, Field(ge=1, le=MAX_THRESHOLD)]


class Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def given(self) -> dict[str, Any]:
        """The keys that the file gives, and their values."""
        return self.model_dump(exclude_unset=True, by_alias=True)


class HeaderTable(Table):
    """`[rulebook]`: what the rulebook is called."""

    name: Slug | None = None
    version: Threshold | None = None
    description: Text | None = None


class VerdictTable(Table):
    """`[verdict]`: the prior and the limits of the verdicts, in centi-nats."""

    prior: Limit | None = None
    forged: Limit | None = None
    likely_forged: Limit | None = None
    likely_genuine: Limit | None = None
    genuine: Limit | None = None


class ThresholdsTable(Table):
    """`[thresholds]`: what both engines measure with, in the units that heuristics/rulebook/thresholds.py names."""

    burst_gap_us: Threshold | None = None
    speech_wait_us: Threshold | None = None
    seq_reach: Threshold | None = None
    copy_gap_us: Threshold | None = None
    run_step: Threshold | None = None
    hop_tolerance: Threshold | None = None
    baseline_packets: Threshold | None = None
    talk_gap_us: Threshold | None = None


class DefineTable(Table):
    """`[define.NAME]` for resets, `[icmp_define.NAME]` for ICMP errors: a named condition or value."""

    is_: Expression | None = Field(default=None, alias="is")
    meaning: Text | None = None
    unit: Text | None = None


class CaseTable(Table):
    """One of the `cases` of an explanation: a condition, and the price of the explanation where it holds."""

    when: Expression
    price: Weight


class ExplanationTable(Table):
    """One `[[explanation]]`. `also_explains` adds to what a lower layer says."""

    id: Identifier
    title: Text | None = None
    origin: Literal["endpoint", "front-end", "middlebox"] | None = None
    explains: list[Identifier] | None = None
    also_explains: list[Identifier] | None = None
    cases: Annotated[list[CaseTable], Field(min_length=1, max_length=MAX_CONDITIONS)] | None = None
    say: Text | None = None
    cause: Text | None = None
    reference: Text | None = None
    enabled: bool | None = None


class StatementTable(Table):
    """One `[[where]]`, where a suspect reset came from, or `[[advice]]`, what to capture next."""

    id: Identifier
    when: Expression | None = None
    say: Text | None = None


class CountedTable(StatementTable):
    """One `[[reason]]`, why a verdict is unclear, or `[[cause]]`, what may have made the sender reset.

    Summaries count them by `title`; `do` says what a reader can do about it."""

    title: Text | None = None
    do: Text | None = None


class RuleTable(StatementTable):
    """One `[[rule]]`. `was`: ids that it had before, by which files may still name it."""

    title: Text | None = None
    weight: Weight | None = None
    reference: Text | None = None
    origin: Literal["front-end"] | None = None
    enabled: bool | None = None
    was: list[Identifier] | None = None


class DeviceTable(StatementTable):
    """One `[[device]]`: a device or mechanism that resets of this form come from. `confidence` in percent."""

    confidence: Percent | None = None
    reference: Text | None = None


class IcmpTable(StatementTable):
    """One `[[icmp]]`: what an ICMP error is, where its condition is the first that holds. `suspicion` in percent."""

    verdict: Literal["forged", "likely forged", "unclear", "likely genuine", "genuine"] | None = None
    origin: Literal["endpoint", "front-end", "middlebox", "router", "unknown"] | None = None
    suspicion: Suspicion | None = None
    reference: Text | None = None
    device: Text | None = None


class RulebookFile(Table):
    """A whole file, every table optional."""

    rulebook: HeaderTable = HeaderTable()
    verdict: VerdictTable = VerdictTable()
    thresholds: ThresholdsTable = ThresholdsTable()
    define: dict[Identifier, DefineTable] = {}
    icmp_define: dict[Identifier, DefineTable] = {}
    rule: list[RuleTable] = []
    explanation: list[ExplanationTable] = []
    reason: list[CountedTable] = []
    cause: list[CountedTable] = []
    where: list[StatementTable] = []
    device: list[DeviceTable] = []
    icmp: list[IcmpTable] = []
    advice: list[StatementTable] = []


SINGLE_TABLES: dict[str, type[Table]] = {
    "rulebook": HeaderTable,
    "verdict": VerdictTable,
    "thresholds": ThresholdsTable,
}
NAMED_TABLES: dict[str, type[Table]] = {"define": DefineTable, "icmp_define": DefineTable}  # one for each name
ENTRIES: dict[str, type[Table]] = {  # several of each, with an id
    "rule": RuleTable,
    "explanation": ExplanationTable,
    "reason": CountedTable,
    "cause": CountedTable,
    "where": StatementTable,
    "device": DeviceTable,
    "icmp": IcmpTable,
    "advice": StatementTable,
}
TABLES = SINGLE_TABLES | NAMED_TABLES | ENTRIES
