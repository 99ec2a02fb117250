"""One rulebook file: read, parsed as TOML and checked key by key, before anything is merged with anything.

Every key but an id may be left out here, since a file may overlay another. What is wrong comes back as problems, all
of them, each with the file, the rule and the place.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from heuristics.errors import PlacedError, Problem, RefusedSyntaxError, nearest
from heuristics.language.expressions import Node, named, parse
from heuristics.language.template import parse_template
from heuristics.observables.icmp_vocabulary import ICMP_OBSERVABLES
from heuristics.observables.vocabulary import JUDGED, OBSERVABLES, OF_CASES, WITH_CASES, Type

VOCABULARY = {observable.name: observable.type for observable in OBSERVABLES}
CONCLUDED = VOCABULARY | {observable.name: observable.type for observable in JUDGED}  # for causes and devices
ICMP = {observable.name: observable.type for observable in ICMP_OBSERVABLES}
MAX_FILE_BYTES = 2**20
MAX_TEXT = 2000  # characters of any text in a rulebook
MAX_WEIGHT = 2000  # centi-nats: odds of e^20, far beyond what one observation can prove
MAX_LIMIT = 100_000  # centi-nats, a score no sum of weights comes near
MAX_THRESHOLD = 2**31 - 1

_MAX_SHOWN = 60  # characters of a wrong value that a message repeats
_IDENTIFIER = r"^[a-z][a-z0-9_]*$"
_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_PATTERNS = {
    _IDENTIFIER: "small letters, digits and underscores, a letter first",
    _SLUG: "small letters and digits, with single hyphens between",
}
_TOML_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def _printable(text: str) -> str:
    if text.isprintable():  # nearly always, and much quicker
        return text
    for column, character in enumerate(text, 1):
        if not character.isprintable():
            raise PydanticCustomError(
                "text", "{reason}", {"column": column, "reason": f"{character!a} is not a printable character"}
            )
    return text


def _alone(condition: Node) -> None:
    """Raises RefusedSyntaxError where what other captures show is asked for with what is not known at the same time."""
    names = set(named(condition))
    others = names - OF_CASES - WITH_CASES
    if names & OF_CASES and others:
        raise RefusedSyntaxError(
            1, f"what other captures show cannot be asked for together with {', '.join(sorted(others))}"
        )


def _checked(check: Callable[[str], object]) -> AfterValidator:
    def checked(text: str) -> str:
        try:
            check(text)
        except PlacedError as error:
            raise PydanticCustomError("text", "{reason}", dict(vars(error))) from None
        return text

    return AfterValidator(checked)


def _expression_over(vocabulary: Mapping[str, Type]) -> AfterValidator:
    return _checked(lambda text: _alone(parse(text, vocabulary)))


def _template_over(vocabulary: Mapping[str, Type]) -> AfterValidator:
    return _checked(lambda text: parse_template(text, vocabulary))


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_printable)]
Expression = Annotated[str, _expression_over(VOCABULARY)]
Conclusion = Annotated[str, _expression_over(CONCLUDED)]
IcmpExpression = Annotated[str, _expression_over(ICMP)]
Say = Annotated[Text, _template_over(VOCABULARY)]
IcmpSay = Annotated[Text, _template_over(ICMP)]
Identifier = Annotated[str, Field(pattern=_IDENTIFIER, max_length=64)]
Slug = Annotated[str, Field(pattern=_SLUG, max_length=64)]
Weight = Annotated[int, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]
Limit = Annotated[int, Field(ge=-MAX_LIMIT, le=MAX_LIMIT)]
Percent = Annotated[int, Field(ge=1, le=100)]
Suspicion = Annotated[int, Field(ge=0, le=100)]
Threshold = Annotated[int, Field(ge=1, le=MAX_THRESHOLD)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def given(self) -> dict[str, Any]:
        """The keys that the file gives, and their values."""
        return self.model_dump(exclude_unset=True)


class HeaderTable(_Table):
    """`[rulebook]`: what the rulebook is called."""

    name: Slug | None = None
    version: Threshold | None = None
    description: Text | None = None


class VerdictTable(_Table):
    """`[verdict]`: the prior and the limits of the verdicts, in centi-nats."""

    prior: Limit | None = None
    forged: Limit | None = None
    likely_forged: Limit | None = None
    likely_genuine: Limit | None = None
    genuine: Limit | None = None


class ThresholdsTable(_Table):
    """`[thresholds]`: what both engines measure with. Microseconds (`_us`), bytes (`seq_reach`) or a plain count."""

    burst_gap_us: Threshold | None = None
    speech_wait_us: Threshold | None = None
    seq_reach: Threshold | None = None
    copy_gap_us: Threshold | None = None
    run_step: Threshold | None = None
    hop_tolerance: Threshold | None = None
    baseline_packets: Threshold | None = None
    talk_gap_us: Threshold | None = None


class ReasonTable(_Table):
    """One `[[reason]]`: why a verdict is unclear."""

    id: Identifier
    when: Expression | None = None
    say: Say | None = None


class RuleTable(ReasonTable):
    """One `[[rule]]`."""

    title: Text | None = None
    weight: Weight | None = None
    reference: Text | None = None
    origin: Literal["front-end"] | None = None
    enabled: bool | None = None


class CauseTable(_Table):
    """One `[[cause]]`, what may have made the sender reset, or `[[where]]`, where a suspect reset came from."""

    id: Identifier
    when: Conclusion | None = None
    say: Say | None = None


class DeviceTable(CauseTable):
    """One `[[device]]`: a device or mechanism that resets of this form come from. `confidence` in percent."""

    confidence: Percent | None = None
    reference: Text | None = None


class IcmpTable(_Table):
    """One `[[icmp]]`: what an ICMP error is, where its condition is the first that holds. `suspicion` in percent."""

    id: Identifier
    when: IcmpExpression | None = None
    verdict: Literal["forged", "likely forged", "unclear", "likely genuine", "genuine"] | None = None
    origin: Literal["endpoint", "front-end", "middlebox", "router", "unknown"] | None = None
    suspicion: Suspicion | None = None
    say: IcmpSay | None = None
    reference: Text | None = None
    device: Text | None = None


class RulebookFile(_Table):
    """A whole file, every table optional."""

    rulebook: HeaderTable = HeaderTable()
    verdict: VerdictTable = VerdictTable()
    thresholds: ThresholdsTable = ThresholdsTable()
    rule: list[RuleTable] = []
    reason: list[ReasonTable] = []
    cause: list[CauseTable] = []
    where: list[CauseTable] = []
    device: list[DeviceTable] = []
    icmp: list[IcmpTable] = []


_FIELDS = RulebookFile.model_fields.items()
_ENTRIES = [name for name, field in _FIELDS if get_args(field.annotation)]  # several of each, all with an id
_TABLES: dict[str, Any] = {name: next(iter(get_args(field.annotation)), field.annotation) for name, field in _FIELDS}

_REASONS = {
    "int_type": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "string_type": "must be text, not {input}",
    "bool_type": "must be true or false, not {input}",
    "literal_error": "must be {expected}, not {input}",
    "greater_than_equal": "must be at least {ge}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "string_too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "{input} is not allowed",
    "missing": "is missing",
}


def parse_file(file: str, raw: bytes) -> tuple[RulebookFile, list[Problem]]:
    """The content of a rulebook file named `file`, and what is wrong with it (then the content is an empty one)."""
    empty = RulebookFile()
    if len(raw) > MAX_FILE_BYTES:
        return empty, [Problem(file, "", "", f"larger than {MAX_FILE_BYTES} bytes, so it is no rulebook")]
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return empty, [Problem(file, "", f"line {line}", f"not UTF-8: {error.reason}", "save the file as UTF-8")]
    except RecursionError:
        return empty, [Problem(file, "", "", "not TOML: nested too deeply")]
    except ValueError as error:
        return empty, [_not_toml(file, str(error))]
    problems = [problem for table in _ENTRIES for problem in _duplicates(file, data, table)]
    try:
        content = RulebookFile.model_validate(data)
    except ValidationError as error:
        return empty, problems + [_problem(file, data, details) for details in error.errors()]
    return content, problems


def _not_toml(file: str, message: str) -> Problem:
    position = _TOML_POSITION.search(message)
    reason = f"not TOML: {message[: position.start()] if position else message}"
    if not position:
        return Problem(file, "", "", reason)
    place = f"line {position[1]}, column {position[2]}" if position[1] else "end of file"
    return Problem(file, "", place, reason)


def _entries(data: dict[str, Any], table: str) -> list[Any]:
    entries = data.get(table)
    return entries if isinstance(entries, list) else []


def _id(entry: Any) -> str:
    found = entry.get("id") if isinstance(entry, dict) else None
    return _shorten(found) if isinstance(found, str) else ""


def _duplicates(file: str, data: dict[str, Any], table: str) -> list[Problem]:
    counts = Counter(filter(None, map(_id, _entries(data, table))))
    return [
        subject(file, table, id_, "id", "given more than once in this file", "give each its own id")
        for id_, count in counts.items()
        if count > 1
    ]


def subject(file: str, table: str, id_: str, place: str, reason: str, hint: str = "") -> Problem:
    """A Problem of the `table` ("rule", "reason") entry `id_`."""
    if table == "rule":
        return Problem(file, id_, place, reason, hint)
    return Problem(file, "", ": ".join(filter(None, (f"{table} '{id_}'", place))), reason, hint)


def _problem(file: str, data: dict[str, Any], details: ErrorDetails) -> Problem:
    """What pydantic found, in the words of the person who wrote the file."""
    table, *path = details["loc"]
    place, reason, hint = _explained(str(table), path, details)
    if len(path) == 0 or not isinstance(path[0], int):
        return Problem(file, "", f"[{table}] {place}".strip() if path else place, reason, hint)
    number = path[0]
    id_ = _id(_entries(data, str(table))[number])
    if id_:
        return subject(file, str(table), id_, place, reason, hint)
    return Problem(file, "", ": ".join(filter(None, (f"{table} number {number + 1}", place))), reason, hint)


def _explained(table: str, path: Sequence[int | str], details: ErrorDetails) -> tuple[str, str, str]:
    """Place, reason and hint."""
    context: dict[str, Any] = details.get("ctx", {})
    key = str(path[-1]) if path and isinstance(path[-1], str) else ""
    if details["type"] == "extra_forbidden":
        known = _TABLES[table].model_fields if path else _TABLES
        return "", f"unknown {'key' if path else 'table'} '{_shorten(key or table)}'", nearest(key or table, known)
    if details["type"] == "text":
        return f"{key}, column {context['column']}", str(context["reason"]), str(context.get("hint", ""))
    if details["type"] in ("model_type", "list_type"):
        header = f"[[{table}]]" if table in _ENTRIES else f"[{table}]"
        return "" if path else table, "not a table", f"start it with a line {header}"
    shown = {**context, "input": _shorten(repr(details["input"]))}
    template = _REASONS.get(details["type"])
    return (
        key,
        template.format_map(shown) if template else details["msg"],
        _PATTERNS.get(str(context.get("pattern")), ""),
    )


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
