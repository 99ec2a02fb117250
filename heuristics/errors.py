"""What can go wrong: one class for each kind of mistake, and its message for the user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

_NAME_SHOWN = 80  # characters of an unknown name that a message repeats


class RstoriginError(Exception):
    """Base of every error this project raises on purpose: its text is meant for the user."""


class PlacedError(RstoriginError):
    """A text of a rulebook that cannot be used.

    `column` counts characters from 1, line breaks too. Where a key has a list of texts, `number` counts them from 1.
    """

    def __init__(self, column: int, reason: str, hint: str = "") -> None:
        super().__init__(column, reason, hint)
        self.column = column
        self.reason = reason
        self.hint = hint
        self.number = 0

    def place(self, text: str) -> str:
        """Where in `text` it is, as a person counts: "column 4", or "line 2, column 4" where there are several."""
        before = text[: self.column - 1]
        column = f"column {len(before) - (before.rfind(chr(10)) + 1) + 1}"
        return f"line {before.count(chr(10)) + 1}, {column}" if "\n" in text else column

    def __str__(self) -> str:
        return f"column {self.column}: {_with_hint(self.reason, self.hint)}"


class ExpressionError(PlacedError):
    """An expression that cannot be used."""


class MalformedExpressionError(ExpressionError):
    """Not an expression at all, or too long or too deep to be one."""


class RefusedSyntaxError(ExpressionError):
    """Valid Python, but outside the small subset that rules are written in."""


class UnknownObservableError(ExpressionError):
    """A name that is neither an observable nor a threshold nor a definition."""


class CircularDefinitionError(ExpressionError):
    """A definition that needs itself."""


class UnusableDefinitionError(ExpressionError):
    """A definition that has an error of its own, which is reported where it stands."""


class ExpressionTypeError(ExpressionError):
    """Types that do not go together, such as a number compared with text."""


class ExpressionMagnitudeError(ExpressionError):
    """A number that may leave the range in which a Lua number is exact."""


class TemplateError(PlacedError):
    """An explanation template that cannot be used."""


class UnknownPlaceholderError(TemplateError):
    """A name in braces that is neither an observable nor a threshold nor a definition."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a rulebook: in which file, which rule, where in it, what, and what to do.

    `rule`, `place` and `hint` may be empty.
    """

    file: str
    rule: str
    place: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        rule = f"rule '{self.rule}'" if self.rule else ""
        parts = (self.file, rule, self.place, _with_hint(self.reason, self.hint))
        return visible(": ".join(part for part in parts if part))


_PROBLEMS_SHOWN = 10


class ProblemsError(RstoriginError):
    """A file with problems, all of them; its text has one line for each of the first, and a count of the rest."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        more = len(self.problems) - _PROBLEMS_SHOWN
        lines = [str(problem) for problem in self.problems[:_PROBLEMS_SHOWN]]
        return "\n".join([*lines, f"... and {more:,} more" if more > 0 else ""]).rstrip("\n")


class RulebookError(ProblemsError):
    """A rulebook with problems."""


class UnknownRuleError(RstoriginError):
    """A rule id that the rulebook does not have."""

    def __init__(self, rule: str, known: Iterable[str]) -> None:
        super().__init__(visible(_with_hint(f"no rule '{rule[:_NAME_SHOWN]}'", nearest(rule, known))))


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The hint "did you mean ...?" with the candidate most like `name`, or an empty text when none is alike."""
    found = get_close_matches(name[:_NAME_SHOWN], list(candidates), n=1)
    return f"did you mean '{found[0]}'?" if found else ""


def visible(text: str) -> str:
    r"""`text` with every control or otherwise unprintable character as its escape (`\x1b`), safe for a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _with_hint(reason: str, hint: str) -> str:
    return f"{reason} ({hint})" if hint else reason
