"""A rulebook -> the text of the Wireshark plugin. Pure: the same rulebook gives the same bytes; the caller writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache
from itertools import chain

from jinja2 import Environment, PackageLoader, StrictUndefined

from generator.flow_state import context_record, private_prefixes
from generator.profile import PROFILE_NAME
from heuristics import engine_limits as memory
from heuristics import presumed_sender
from heuristics.language.expressions import (
    MAX_OBSERVABLE,
    Defined,
    Definition,
    Name,
    Node,
    can_hold,
    definitions_in,
    to_lua,
    to_lua_definition,
)
from heuristics.language.lua_text import lua_string
from heuristics.language.template import Placeholder, Template
from heuristics.observables import output_columns
from heuristics.observables.cross_flow_vocabulary import OF_CASE, OF_PAIR
from heuristics.observables.icmp_vocabulary import ICMP_BY_NAME
from heuristics.observables.vocabulary import OF_CONTEXT
from heuristics.protocol import hop_limit as hop_limits
from heuristics.protocol import idle_timeouts as timeouts
from heuristics.protocol import private_networks as networks
from heuristics.protocol import reset_payload as payloads
from heuristics.protocol import stated_cause as stated
from heuristics.protocol import tshark_fields as wireshark
from heuristics.protocol.display_filters import FLOW_FORMAT
from heuristics.protocol.icmp_codes import ICMP_MEANINGS, IcmpClass
from heuristics.protocol.netscaler_codes import NETSCALER_CODES
from heuristics.protocol.reset_payload import PayloadKind
from heuristics.rulebook.model import Rulebook, VerdictLimits
from heuristics.rulebook.scoring import (
    ICMP_UNJUDGED,
    ICMP_UNJUDGED_SUSPICION,
    OTHER_SENDER,
    TWO_EXPLANATIONS,
    UNCLEAR,
    Origin,
    Verdict,
    suspicion,
    suspicion_limits,
)
from heuristics.rulebook.statements import Statement

PLUGIN_NAME = "rstorigin.lua"
# Names the file of verdicts that the plugin takes over, and the format of that file (postproc/handover).
VERDICT_VARIABLE = "RSTORIGIN_VERDICTS"
VERDICT_FILE_VERSION = 1
GENERATED_MARK = b"\n-- Do not edit: change the rulebook and run `rstorigin plugin generate`.\n"  # in its head

# Observables that rstorigin alone measures: always missing in Wireshark.
_NOT_IN_WIRESHARK = frozenset(one.name for one in (*OF_CASE, *OF_PAIR))

# How many numbers of a table stand on one line of the plugin.
_NUMBERS_PER_LINE = 16

# Characters of an expression on one line of the plugin.
_LINE = 100

# Characters of text in one string literal of the plugin.
_LONGEST_STRING = 82


def render_plugin(rulebook: Rulebook) -> str:
    """The plugin as one Lua file, for Wireshark 4.0 (Lua 5.2) and later (Lua 5.4)."""
    template = _environment().get_template("plugin.lua.j2")
    statements = _statements(rulebook)
    of_resets = (value for key, value in statements.items() if key != "icmp")
    return template.render(
        rulebook=rulebook,
        statements=statements,
        explanations=rulebook.explanations,
        two_explanations=TWO_EXPLANATIONS.replace("{}", "%s"),
        other_sender=OTHER_SENDER,
        definitions=_definitions([*_trees(chain.from_iterable(of_resets)), *_explanation_trees(rulebook)]),
        icmp_definitions=_definitions(_trees(statements["icmp"])),
        plugin_name=PLUGIN_NAME,
        profile_name=PROFILE_NAME,
        thresholds=[(field.name, getattr(rulebook.thresholds, field.name)) for field in fields(rulebook.thresholds)],
        max_observable=MAX_OBSERVABLE,
        suspicion_limits=_rows(suspicion_limits()),
        default_limits=_default_limits(rulebook.verdict),
        verdict_variable=VERDICT_VARIABLE,
        verdict_file_version=VERDICT_FILE_VERSION,
        context_observables=OF_CONTEXT,
        context_record=[*context_record(OF_CONTEXT)],
        hop_limits=hop_limits,
        private_prefixes=private_prefixes(),
        networks=networks,
        timeouts=timeouts,
        wireshark=wireshark,
        memory=memory,
        payloads=payloads,
        payload_kinds=PayloadKind,
        stated=stated,
        netscaler_codes=NETSCALER_CODES,
        verdicts=Verdict,
        origins=Origin,
        presumed=presumed_sender,
        unclear=UNCLEAR,
        icmp_meanings=sorted(ICMP_MEANINGS.items()),
        icmp_classes=IcmpClass,
        icmp_unjudged=ICMP_UNJUDGED,
        output=output_columns,
        icmp_observables=ICMP_BY_NAME,
        flow_format=FLOW_FORMAT,
        icmp_unjudged_suspicion=ICMP_UNJUDGED_SUSPICION,
    )


def _statements(rulebook: Rulebook) -> dict[str, list[Statement]]:
    """The statements of each kind, without those that never hold in Wireshark."""
    kinds: dict[str, Sequence[Statement]] = {
        "rules": rulebook.rules,
        "reasons": rulebook.reasons,
        "causes": rulebook.causes,
        "wheres": rulebook.wheres,
        "devices": rulebook.devices,
        "icmp": rulebook.icmp,
    }
    return {
        kind: [statement for statement in statements if can_hold(statement.condition, _NOT_IN_WIRESHARK)]
        for kind, statements in kinds.items()
    }


def _default_limits(verdict: VerdictLimits) -> list[tuple[str, int]]:
    """Each limit of the verdicts, in percent of suspicion."""
    names = ("forged", "likely_forged", "likely_genuine", "genuine")
    return [(name, suspicion(getattr(verdict, name), suspicion_limits())) for name in names]


def _trees(statements: Iterable[Statement]) -> Iterable[Node]:
    return (tree for statement in statements for tree in (statement.condition, *statement.say.subjects))


def _explanation_trees(rulebook: Rulebook) -> Iterable[Node]:
    for explanation in rulebook.explanations:
        yield from (case.condition for case in explanation.cases)
        for sentence in filter(None, (explanation.say, explanation.cause)):
            yield from sentence.subjects


def _definitions(trees: Iterable[Node]) -> list[Definition]:
    """The definitions that these trees need, each after those that it needs itself; no literals."""
    needed = {found.name: found for tree in trees for found in definitions_in(tree)}
    return [found for found in needed.values() if not found.literal]


def _rows(numbers: tuple[int, ...]) -> list[str]:
    starts = range(0, len(numbers), _NUMBERS_PER_LINE)
    return [", ".join(map(str, numbers[start : start + _NUMBERS_PER_LINE])) for start in starts]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("generator"),
        autoescape=False,  # Lua, not HTML: text goes through lua_string
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        lua_string=lua_string,
        lua_condition=_lua_condition,
        lua_definition=_lua_definition,
        lua_sentence=_lua_sentence,
        reads_observation=_reads_observation,
        lua_text=_lua_text,
    )
    return environment


# Where a Lua expression may go on in the next line; string literals are matched whole, so that none is broken.
_BREAK = re.compile(r'"(?:[^"\\]|\\.)*"|( )(?:and|or|\.\.) ')


def _wrapped(expression: str, width: int = _LINE, indent: str = " " * 8) -> str:
    """`expression` over as many lines as it takes to stay below `width`, broken before its operators."""
    lines, start, last = [], 0, 0
    for match in _BREAK.finditer(expression):
        if match.group(1) is None:
            continue
        if match.end() - start > width and last > start:
            lines.append(expression[start:last])
            start = last + 1
        last = match.start(1)
    if len(expression) - start > width and last > start:
        lines.append(expression[start:last])
        start = last + 1
    return f"\n{indent}".join([*lines, expression[start:]])


def _lua_condition(tree: Node) -> str:
    return _wrapped(to_lua(tree))


def _lua_definition(definition: Definition) -> tuple[str, str, str]:
    """The field, the condition under which it has a value (empty: always), and the value."""
    field, guards, value = to_lua_definition(definition)
    width = _LINE - len(field) - len(" = ")
    return field, _wrapped(guards, indent=" " * 4), _wrapped(value, width, indent=" " * (6 if guards else 4))


def _reads_observation(template: Template) -> bool:
    return any(
        isinstance(subject, Name) or (isinstance(subject, Defined) and not subject.definition.literal)
        for subject in template.subjects
    )


def _lua_sentence(template: Template) -> str:
    parts = [piece for part in template.parts for piece in (_pieces(part) if isinstance(part, str) else [part])]
    return _wrapped(Template(template.source, tuple(parts)).to_lua())


def _lua_text(text: str) -> str:
    """A text without placeholders, over as many lines as it takes."""
    return _lua_sentence(Template(text, (text,)))


def _pieces(text: str) -> list[str | Placeholder]:
    """`text` cut at spaces into strings that fit a line."""
    pieces: list[str | Placeholder] = []
    while len(text) > _LONGEST_STRING and " " in text[:_LONGEST_STRING]:
        cut = text.rindex(" ", 0, _LONGEST_STRING) + 1
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]
