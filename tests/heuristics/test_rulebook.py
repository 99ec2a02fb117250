"""The rulebook: what a file says is what is loaded, overlays change only what they give, every mistake is named."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rulebook_files import BASE, NEAREST, RULE, STORY, messages, overlaid, written

from heuristics.errors import Problem, RulebookError, TemplateError, UnknownRuleError, visible
from heuristics.language.expressions import Names, to_lua
from heuristics.language.template import parse_template
from heuristics.rulebook.model import load

# What a good rulebook becomes.


def test_everything_in_the_file_is_in_the_rulebook(base: Path) -> None:
    rulebook = load(base)
    assert (rulebook.header.name, rulebook.header.version) == ("base", 3)
    assert rulebook.verdict.likely_genuine == -100
    assert rulebook.thresholds.seq_reach == 5
    far, front = rulebook.rules
    assert (far.id, far.weight, far.origin, far.enabled) == ("far", 200, None, True)
    assert far.holds({"hop_gap": 2})
    assert not far.holds({})
    assert to_lua(far.condition) == "o.gap_wide ~= nil and o.gap_wide"
    assert [(define.name, define.source) for define in rulebook.defines] == [
        ("most_hops", "2"),
        ("gap_wide", "hop_gap >= most_hops"),
    ]
    assert front.origin == "front-end"
    assert [reason.id for reason in rulebook.reasons] == ["always"]


def test_a_rule_is_found_by_id_and_a_near_miss_is_named(base: Path) -> None:
    rulebook = load(base)
    assert rulebook.rule("front").title == "Front"
    with pytest.raises(UnknownRuleError, match=r"no rule 'frnt' \(did you mean 'front'\?\)"):
        rulebook.rule("frnt")


def test_a_rulebook_goes_to_another_process_and_comes_back_the_same(base: Path) -> None:
    rulebook = load(base)
    assert rulebook.rules[0].holds({"hop_gap": 2})
    again = pickle.loads(pickle.dumps(rulebook))
    assert again == rulebook
    assert again.hash == rulebook.hash
    assert again.rules[0].holds({"hop_gap": 2})


def test_problems_survive_the_way_from_another_process() -> None:
    error = RulebookError([Problem("f", "r", "when, column 2", "wrong")])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
    with pytest.raises(TemplateError) as raised:
        parse_template("{", Names({}))
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


# What is wrong, and how it is said.

BRACES = "a placeholder (only {name}, {name:time}, {name:n hop} and {name:#x} are allowed; write {{ or }} for a brace)"
ONCE = "id: given more than once in this file (give each its own id)"
SNAKE = "is not allowed (small letters, digits and underscores, a letter first)"
HYPHENS = "is not allowed (small letters and digits, with single hyphens between)"
OTHER_NAME = "(choose another name)"
TYPE_CHANGED = "a condition is needed here, and this is a number (definitions keep their types)"
ORDER = "must be below likely_forged (100) (genuine < likely_genuine < prior < likely_forged < forged)"


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (RULE + 'when = "fin_before and hop_gpa > 1"', "rule 'far': when, column 16: " + NEAREST),
        (RULE + 'when = "hop_gap"', "rule 'far': when, column 1: a condition is needed here, and this is a number"),
        (RULE + 'when = ""', "rule 'far': when, column 1: the expression is empty"),
        (RULE + "when = 1", "rule 'far': when: must be text or a list of texts, not 1"),
        (RULE + "when = [1]", "rule 'far': when: must be text or a list of texts, not [1]"),
        (RULE + "when = []", "rule 'far': when: must have from 1 to 50 texts"),
        (RULE + 'when = """\nfin_before\n  and hop_gpa > 1"""', "rule 'far': when, line 2, column 7: " + NEAREST),
        (RULE + 'when = ["fin_before", "hop_gpa > 1"]', "rule 'far': when, text 2, column 1: " + NEAREST),
        (RULE + 'when = ["""\nhop_gap\n> hop_gpa"""]', "rule 'far': when, text 1, line 2, column 3: " + NEAREST),
        (RULE + "was = 1", "rule 'far': was: must be a list, not 1"),
        (RULE + 'was = ["front"]', "rule 'far': was: 'front' names rule 'front'"),
        (RULE + 'was = ["old", "old"]', "rule 'far': was: 'old' names rule 'far'"),
        (RULE + "wieght = 1", "rule 'far': unknown key 'wieght' (did you mean 'weight'?)"),
        (RULE + "weight = 2001", "rule 'far': weight: must be at most 2000, not 2001"),
        (RULE + "weight = -2001", "rule 'far': weight: must be at least -2000, not -2001"),
        (RULE + "weight = 1.5", "rule 'far': weight: must be a whole number, not 1.5"),
        (RULE + 'weight = "high"', "rule 'far': weight: must be a whole number, not 'high'"),
        (RULE + "weight = true", "rule 'far': weight: must be a whole number, not True"),
        (RULE + "weight = inf", "rule 'far': weight: must be a whole number, not inf"),
        (RULE + 'say = "{hop_gpa}"', "rule 'far': say, column 2: " + NEAREST),
        (RULE + 'say = "a {"', "rule 'far': say, column 3: '{' does not belong to " + BRACES),
        (RULE + 'say = "{hop_gap:d}"', "rule 'far': say, column 1: '{' does not belong to " + BRACES),
        (RULE + 'say = "{hop_gap.x}"', "rule 'far': say, column 1: '{' does not belong to " + BRACES),
        (RULE + 'say = "a }"', "rule 'far': say, column 3: '}' does not belong to " + BRACES),
        (RULE + 'say = ""', "rule 'far': say: must not be empty"),
        (RULE + r'say = "a\nb"', r"rule 'far': say, column 2: '\n' is not a printable character"),
        (RULE + r'title = "a\u001b[31m"', r"rule 'far': title, column 2: '\x1b' is not a printable character"),
        (RULE + r'reference = "\u202e"', r"rule 'far': reference, column 1: '\u202e' is not a printable character"),
        (RULE + f'title = "{"x" * 2001}"', "rule 'far': title: is longer than 2000 characters"),
        (RULE + 'origin = "middlebox"', "rule 'far': origin: must be 'front-end', not 'middlebox'"),
        (RULE + 'enabled = "no"', "rule 'far': enabled: must be true or false, not 'no'"),
        (RULE + RULE, "rule 'far': " + ONCE),
        ('[[rule]]\nid = "Far off"', "rule 'Far off': id: 'Far off' " + SNAKE),
        ("[[rule]]\nweight = 1", "rule number 1: id: is missing"),
        (
            '[[rule]]\nid = "farr"\nweight = 1',
            "rule 'farr': a new rule needs title, when, say, reference too (did you mean 'far'?)",
        ),
        ('[[reason]]\nid = "why"', "reason 'why': a new reason needs when, say too"),
        ('[[reason]]\nid = "always"\nwhen = "x"', "reason 'always': when, column 1: unknown observable 'x'"),
        ('[[reason]]\nid = "always"\nweight = 1', "reason 'always': unknown key 'weight'"),
        ('[[reason]]\nid = "always"\n' * 2, "reason 'always': " + ONCE),
        ('[define.wide]\nis = "hop_gap > x"', "define 'wide': is, column 11: unknown observable 'x'"),
        ('[define.wide]\nis = ["p", "1"]', "define 'wide': is, text 1, column 1: unknown observable 'p'"),
        ('[define.wide]\nis = "wide > 1"\n', "define 'wide': is, column 1: this needs itself: wide, wide"),
        ('[define.wide]\nis = "hop_gap"', "define 'wide': a new define needs meaning too"),
        ("[define.wide]\nis = 1", "define 'wide': is: must be text or a list of texts, not 1"),
        ('[define.wide]\nmeaning = ""', "define 'wide': meaning: must not be empty"),
        ('[define.wide]\nsi = "hop_gap"', "define 'wide': unknown key 'si'"),
        ('[define.Wide]\nis = "hop_gap"', "define 'Wide': 'Wide' " + SNAKE),
        ("define = 1", "define: not a table (start it with a line [define.NAME])"),
        ("[define]\nwide = 1", "define 'wide': not a table (start it with a line [define.NAME])"),
        ('[define.hop_gap]\nis = "1"', f"define 'hop_gap': 'hop_gap' is an observable already {OTHER_NAME}"),
        ('[define.origin]\nis = "1"', f"define 'origin': 'origin' is an observable already {OTHER_NAME}"),
        ('[define.run_step]\nis = "1"', f"define 'run_step': 'run_step' is a threshold already {OTHER_NAME}"),
        ('[define.known]\nis = "1"', f"define 'known': 'known' is a word of the language {OTHER_NAME}"),
        ('[define.gap_wide]\nis = "hop_gap"', "define 'gap_wide': is: " + TYPE_CHANGED),
        (
            '[icmp_define.ip_version]\nis = "1"',
            f"icmp_define 'ip_version': 'ip_version' is an observable already {OTHER_NAME}",
        ),
        ('[icmp_define.near]\nis = "mac_new"', "icmp_define 'near': is, column 1: unknown observable 'mac_new'"),
        ('[[advice]]\nid = "more"', "advice 'more': a new advice needs when, say too"),
        ('[rule]\nid = "far"', "rule: not a table (start it with a line [[rule]])"),
        ("verdict = 1", "verdict: not a table (start it with a line [verdict])"),
        ("rule = [1]", "rule number 1: not a table (start it with a line [[rule]])"),
        ("[verdicts]\nprior = 1", "unknown table 'verdicts' (did you mean 'verdict'?)"),
        ("[verdict]\nforgd = 1", "[verdict]: unknown key 'forgd' (did you mean 'forged'?)"),
        ("[verdict]\nprior = 1.0", "[verdict] prior: must be a whole number, not 1.0"),
        ("[verdict]\nprior = 100", "[verdict]: prior (100) " + ORDER),
        ("[thresholds]\nseq_reach = 0", "[thresholds] seq_reach: must be at least 1, not 0"),
        ("[thresholds]\nseq_reach = 2147483648", "[thresholds] seq_reach: must be at most 2147483647, not 2147483648"),
        ('[rulebook]\nname = "My Rules"', "[rulebook] name: 'My Rules' " + HYPHENS),
        (r'"\u001b[2J" = 1', r"unknown table '\x1b[2J'"),
        ("[[rule]]\nid = x\n", "line 2, column 6: not TOML: Invalid value"),
        ("[[rule]]\nid = '", None),
        ("x = " + "[" * 5000, None),
        ("x = " + "9" * 5000, None),
        (b"\n\xff = 1", "line 2: not UTF-8: invalid start byte (save the file as UTF-8)"),
        ("#" * 2**20 + "#", "larger than 1048576 bytes, so it is no rulebook"),
    ],
)
def test_each_mistake_is_named_with_its_file_and_place(base: Path, overlay: str | bytes, message: str | None) -> None:
    (said,) = messages(base, overlay)
    assert said.startswith("mine0.toml: ")
    assert message is None or said == f"mine0.toml: {message}"


@pytest.mark.parametrize(
    ("overlay", "places"),
    [
        (
            RULE + 'when = "abs(foo) > hop_gpa and known(bar) or foo == gap_wide"',
            ["rule 'far': when, column 5: 'foo'", "column 12: 'hop_gpa'", "column 30: 'bar'"],
        ),
        (
            RULE + 'when = ["foo and bar", "min(bar, 1) > baz"]',
            ["when, text 1, column 1: 'foo'", "text 1, column 9: 'bar'", "text 2, column 15: 'baz'"],
        ),
        ('[define.wide]\nmeaning = "m"\nis = "foo + bar"', ["define 'wide': is, column 1: 'foo'", "column 7: 'bar'"]),
        (
            STORY.replace("window == 1", "foo == 1 and bar"),
            ["explanation 'story': case 1, when, column 1: 'foo'", "case 1, when, column 14: 'bar'"],
        ),
    ],
)
def test_every_unknown_name_of_a_condition_is_named_once(base: Path, overlay: str, places: list[str]) -> None:
    said = messages(base, overlay)
    assert len(said) == len(places)
    for message, place in zip(said, places, strict=True):
        where, _, name = place.rpartition(": ")
        assert f"{where}: unknown observable {name}" in message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('name = "base"', "[rulebook] name: is missing"),
        ("forged = 300", "[verdict] forged: is missing"),
        ("copy_gap_us = 5", "[thresholds] copy_gap_us: is missing"),
        ('when = "gap_wide"', "rule 'far': a new rule needs when too"),
        ('is = "2"', "define 'most_hops': a new define needs is too"),
    ],
)
def test_a_complete_rulebook_must_be_complete(tmp_path: Path, line: str, message: str) -> None:
    lacking = written(tmp_path, "lacking.toml", BASE.replace(f"{line}\n", ""))
    assert messages(lacking) == [f"lacking.toml: {message}"]


def test_a_file_that_cannot_be_read_is_a_problem_like_any_other(base: Path) -> None:
    missing, folder = base.parent / "missing.toml", base.parent / "empty"
    folder.mkdir()
    with pytest.raises(RulebookError) as raised:
        load(base, [missing, folder])
    assert [problem.reason for problem in raised.value.problems] == [
        "cannot be read: No such file or directory",
        "this folder holds no rulebook (files whose names end in .toml)",
    ]


def test_all_problems_of_all_files_are_told_at_once(base: Path) -> None:
    said = messages(base, RULE + 'weight = "x"\nsay = "{"', "[verdict]\nprior = 1.5", "oops")
    assert [line.split(":")[0] for line in said] == ["mine0.toml", "mine0.toml", "mine1.toml", "mine2.toml"]


PIECES = (
    *(
        "[[rule]]",
        "[[reason]]",
        "[[icmp]]",
        "[[advice]]",
        "[define.wide]",
        "[define.Wide]",
        "[icmp_define.wide]",
        "[define]",
    ),
    *("[verdict]", "[thresholds]", "[rule]", "[else]", "rule = 1", "define = []", "[[rule.was]]", "[define.wide.is]"),
    *(
        'id = "far"',
        'id = "new"',
        "id = 1",
        'id = "Far"',
        'when = "wide"',
        "when = [1]",
        'when = ["p", "wide"]',
        "x = 1",
    ),
    *('is = "hop_gap"', 'is = "wide > 1"', "is = 1", 'meaning = "m"', 'was = ["far"]', "was = [1]", 'say = "{wide}"'),
    *("weight = 1", 'weight = "x"', "prior = 1", "prior = true", "seq_reach = 0"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12))
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
def test_a_file_loads_or_has_problems_that_name_it(base: Path, pieces: list[str]) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        overlaid(base, "\n".join(pieces))
    except RulebookError as error:
        problems = error.problems
    assert {problem.file for problem in problems} <= {str(base.parent / "mine0.toml")}


def test_no_control_character_of_a_file_reaches_the_terminal() -> None:
    problem = Problem("a\x1b[2Jb.toml", "x\ny", "", "bad \udc80 \u202e")
    assert str(problem) == r"a\x1b[2Jb.toml: rule 'x\ny': bad \udc80 \u202e"
    assert visible("plain é text") == "plain é text"
