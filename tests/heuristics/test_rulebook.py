"""The rulebook: what a file says is what is loaded, overlays change only what they give, every mistake is named."""

from __future__ import annotations

import pickle
import random
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.lua_interpreters import LUAS, needs_lua, run_lua

from heuristics.errors import Problem, RulebookError, TemplateError, UnknownRuleError, visible
from heuristics.language.expressions import Name, Names, definitions_in, to_lua
from heuristics.language.template import Placeholder, parse_template
from heuristics.observables.vocabulary import ALWAYS, OBSERVABLES, Type, Value
from heuristics.rulebook.model import Rulebook, Thresholds, load
from heuristics.rulebook.thresholds import THRESHOLDS

BASE = (
    """\
[rulebook]
name = "base"
version = 3
description = "For tests"

[verdict]
prior = 10
forged = 300
likely_forged = 100
likely_genuine = -100
genuine = -300

"""
    + "\n".join(["[thresholds]", *(f"{key.name} = 5" for key in fields(Thresholds))])
    + """

[define.most_hops]
meaning = "for tests"
is = "2"

[define.gap_wide]
meaning = "for tests"
is = "hop_gap >= most_hops"

[[rule]]
id = "far"
was = ["far_ipv4", "far_ipv6"]
title = "Far"
when = "gap_wide"
weight = 200
say = "Gap of {hop_gap}"
reference = "RFC 9293"

[[rule]]
id = "front"
title = "Front"
when = "payload_kind == 'bigip'"
weight = -100
say = "A BIG-IP said so"
reference = "F5"
origin = "front-end"

[[reason]]
id = "always"
when = "hop_limit >= 0"
say = "no idea about hop limit {hop_limit}"
"""
)
NEW_RULE = """
[[rule]]
id = "near"
title = "Near"
when = "hop_gap == 0"
weight = -50
say = "No gap"
reference = "none"
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return written(tmp_path, "base.toml", BASE)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def overlaid(base: Path, *contents: str | bytes) -> Rulebook:
    overlays = [written(base.parent, f"mine{n}.toml", content) for n, content in enumerate(contents)]
    return load(base, overlays)


def messages(base: Path, *contents: str | bytes) -> list[str]:
    """What loading with these overlays says is wrong, without the folder."""
    with pytest.raises(RulebookError) as raised:
        overlaid(base, *contents)
    return str(raised.value).replace(f"{base.parent}/", "").splitlines()


# What a good rulebook becomes.


def test_the_packaged_rulebook_loads() -> None:
    rulebook = load()
    assert rulebook.rules
    assert len(rulebook.hash) == 64


def default_files() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "heuristics" / "rulebook" / "default").glob("*.toml"))


def test_each_packaged_file_says_in_two_lines_what_belongs_there() -> None:
    for file in default_files():
        first, second, third = file.read_text(encoding="utf-8").splitlines()[:3]
        assert (first[:2], second[:2]) == ("# ", "# "), file
        assert not third.startswith("# "), file


def test_no_packaged_condition_is_too_long_to_be_read() -> None:
    rulebook = load()
    kinds = (rulebook.all_rules, rulebook.reasons, rulebook.causes, rulebook.wheres, rulebook.devices, rulebook.icmp)
    sources = [statement.when for kind in kinds for statement in kind]
    sources += [define.source for define in (*rulebook.defines, *rulebook.icmp_defines)]
    for source in sources:
        for text in [source] if isinstance(source, str) else source:
            assert len(" ".join(text.split())) <= 160, text


def test_every_packaged_definition_is_in_use() -> None:
    rulebook = load()
    for defines, kinds in (
        (rulebook.defines, (rulebook.rules, rulebook.reasons, rulebook.causes, rulebook.wheres, rulebook.devices)),
        (rulebook.icmp_defines, (rulebook.icmp,)),
    ):
        used = {used.name for kind in kinds for statement in kind for used in definitions_in(statement.condition)}
        assert used == {define.name for define in defines}


@needs_lua
@pytest.mark.parametrize("always_there", [True, False])
def test_the_packaged_rulebook_means_the_same_in_both_languages(tmp_path: Path, always_there: bool) -> None:
    """Over made-up observations: small numbers, which conditions compare with, and much that is missing."""
    rulebook, chance = load(), random.Random(0)
    values = {Type.INT: [0, 1, 2, 3, 4, 90, 2001, 65535], Type.BOOL: [True, False], Type.STR: ["flow", "post-syn"]}
    conditions = [rule.condition for rule in rulebook.rules]
    lua = " .. ".join(f"(({to_lua(condition)}) and '1' or '0')" for condition in conditions)
    observations: list[dict[str, Value]] = [
        {
            observable.name: chance.choice(values[observable.type])
            for observable in OBSERVABLES
            if always_there or observable.name in ALWAYS or chance.random() < 0.7
        }
        for _ in range(40)
    ]
    held = [rulebook.which_rules(observation) for observation in observations]
    assert len({index for which in held for index in which}) > 30
    for interpreter in LUAS:
        said = run_lua(interpreter, [(lua, observation) for observation in observations], tmp_path, conditions)
        assert [[index for index, sign in enumerate(line) if sign == "1"] for line in said] == held


def test_every_threshold_has_a_meaning() -> None:
    assert {threshold.name for threshold in THRESHOLDS} == {key.name for key in fields(Thresholds)}


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
        parse_template("{", {})
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


# Overlays.


def test_an_overlay_changes_only_the_keys_it_gives(base: Path) -> None:
    rulebook = overlaid(base, '[[rule]]\nid = "far"\nweight = 7\n[verdict]\nprior = -5\n[thresholds]\nseq_reach = 9')
    assert rulebook.rule("far").weight == 7
    assert rulebook.rule("far").title == "Far"
    assert rulebook.verdict.prior == -5
    assert rulebook.verdict.forged == 300
    assert rulebook.thresholds.seq_reach == 9
    assert rulebook.header == load(base).header


def test_later_overlays_win(base: Path) -> None:
    weights = ['[[rule]]\nid = "far"\nweight = 7', '[[rule]]\nid = "far"\nweight = 8']
    assert overlaid(base, *weights).rule("far").weight == 8


def test_new_rules_come_last(base: Path) -> None:
    assert [rule.id for rule in overlaid(base, NEW_RULE).rules] == ["far", "front", "near"]


def test_new_reasons_come_before_the_one_that_always_holds(base: Path) -> None:
    changed = '[[reason]]\nid = "always"\nsay = "changed"\n'
    new = '[[reason]]\nid = "mine"\nwhen = "fin_before"\nsay = "after a FIN"\n'
    rulebook = overlaid(base, changed + new)
    assert [(reason.id, reason.say.source) for reason in rulebook.reasons] == [
        ("mine", "after a FIN"),
        ("always", "changed"),
    ]


def test_an_overlay_changes_a_definition_and_all_that_names_it(base: Path) -> None:
    rulebook = overlaid(base, '[define.most_hops]\nis = "5"')
    assert not rulebook.rule("far").holds({"hop_gap": 4})
    assert rulebook.rule("far").holds({"hop_gap": 5})
    assert rulebook.defines[0].meaning == "for tests"
    assert rulebook.hash != load(base).hash


def test_an_overlay_may_name_the_definitions_below_it_and_its_own_in_any_order(base: Path) -> None:
    new = NEW_RULE.replace("hop_gap == 0", "nearly").replace("No gap", "Limit {reach}, {nearly}, {run_step}")
    own = (
        '[define.nearly]\nmeaning = "m"\nis = "hop_gap < reach"\n[define.reach]\nmeaning = "m"\nis = "most_hops * 10"\n'
    )
    near = overlaid(base, own + new).rule("near")
    assert near.holds({"hop_gap": 19})
    assert not near.holds({"hop_gap": 20})
    assert near.say.render({"hop_gap": 19}) == "Limit 20, yes, 5"
    assert near.say.render({}) == "Limit 20, unknown, 5"
    assert (
        near.say.to_lua() == '"Limit " .. text(o.reach) .. ", " .. text(o.nearly) .. ", " .. text(THRESHOLDS.run_step)'
    )


def test_thresholds_are_names_in_conditions(base: Path) -> None:
    seen = '[[rule]]\nid = "far"\nwhen = "hop_gap > run_step"\n[thresholds]\nrun_step = 7'
    far = overlaid(base, seen).rule("far")
    assert far.holds({"hop_gap": 8})
    assert not far.holds({"hop_gap": 7})
    assert to_lua(far.condition) == "o.hop_gap ~= nil and o.hop_gap > THRESHOLDS.run_step"


def test_an_old_id_is_the_rule_that_it_became(base: Path) -> None:
    rulebook = overlaid(base, '[[rule]]\nid = "far_ipv6"\nweight = 9')
    assert rulebook.rule("far_ipv4") is rulebook.rule("far")
    assert rulebook.rule("far").weight == 9
    assert [rule.id for rule in rulebook.all_rules] == ["far", "front"]
    assert rulebook.hash == overlaid(base, '[[rule]]\nid = "far"\nweight = 9').hash


def test_new_advice_comes_first(base: Path) -> None:
    first, second = (f'[[advice]]\nid = "{id_}"\nwhen = "hop_gap == 1"\nsay = "{id_}"\n' for id_ in "ab")
    assert [advice.id for advice in overlaid(base, first, second).advices] == ["b", "a"]


def test_a_folder_is_read_as_its_files_one_after_another(base: Path) -> None:
    folder = base.parent / "rules"
    folder.mkdir()
    head, *rules = BASE.split("[[rule]]")
    for number, content in enumerate([head, *(f"[[rule]]{rule}" for rule in rules)]):
        written(folder, f"{number}.toml", content)
    written(folder, "notes.txt", "not a rulebook")
    assert load(folder) == load(base)
    assert load(folder).hash == load(base).hash
    assert load(base, [folder]).hash == load(base).hash


def test_files_of_one_folder_may_not_say_the_same_thing_twice(base: Path) -> None:
    folder = base.parent / "rules"
    folder.mkdir()
    written(folder, "1.toml", NEW_RULE + '[define.wide]\nmeaning = "m"\nis = "hop_gap"')
    written(folder, "2.toml", '[define.wide]\nmeaning = "m"\nis = "hop_gpa"\n' + NEW_RULE)
    with pytest.raises(RulebookError) as raised:
        load(base, [folder])
    said = str(raised.value).replace(f"{base.parent}/", "").splitlines()
    assert said == [
        "rules/2.toml: define 'wide': stands in rules/1.toml too (give each its own id)",
        "rules/2.toml: rule 'near': stands in rules/1.toml too (give each its own id)",
        "rules/2.toml: define 'wide': is, column 1: " + NEAREST,
    ]


def test_what_an_unreadable_file_may_define_is_not_called_unknown(base: Path) -> None:
    mine = RULE + "when = \"gap_small and hop_gap > 'x'\""
    assert messages(base, "[define.gap_small", mine) == messages(base, "[define.gap_small")
    assert len(messages(base, "[define.gap_small", RULE + "when = \"hop_gap > 'x'\"")) == 2


def test_a_wrong_definition_is_the_only_problem_however_many_name_it(base: Path) -> None:
    assert messages(base, '[define.most_hops]\nis = "hop_gpa"') == [
        "mine0.toml: define 'most_hops': is, column 1: " + NEAREST
    ]


def test_a_disabled_rule_is_listed_but_not_used(base: Path) -> None:
    off = '[[rule]]\nid = "far"\nenabled = false'
    rulebook = overlaid(base, off)
    assert [rule.id for rule in rulebook.rules] == ["front"]
    assert [rule.id for rule in rulebook.all_rules] == ["far", "front"]
    assert len(overlaid(base, off, '[[rule]]\nid = "far"\nenabled = true').rules) == 2


def test_the_hash_follows_what_has_an_effect(base: Path) -> None:
    plain = load(base).hash
    assert overlaid(base, "# only a comment\n").hash == plain
    assert overlaid(base, '[[rule]]\nid = "far"\nweight = 200').hash == plain
    assert overlaid(base, '[[rule]]\nid = "far"\nweight = 201').hash != plain
    assert overlaid(base, NEW_RULE + "enabled = false").hash == plain


# What is wrong, and how it is said.

RULE = '[[rule]]\nid = "far"\n'
BRACES = "a placeholder (only {name} is allowed; write {{ or }} for a brace)"
NEAREST = "unknown observable 'hop_gpa' (did you mean 'hop_gap'?)"
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
        (RULE + "was = 1", "rule 'far': was: must be a list of texts, not 1"),
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


# Templates.

NAMES = Names({"hop_limit": Type.INT, "stage": Type.STR, "df": Type.BOOL}, thresholds={"run_step": 8})


def test_a_template_is_text_and_placeholders() -> None:
    template = parse_template("Hop limit {hop_limit} ({{{stage}}})", NAMES)
    assert template.parts == (
        "Hop limit ",
        Placeholder(Name("hop_limit", Type.INT)),
        " ({",
        Placeholder(Name("stage", Type.STR)),
        "})",
    )
    assert template.to_lua() == '"Hop limit " .. text(o.hop_limit) .. " ({" .. text(o.stage) .. "})"'


def test_each_kind_of_value_has_its_text() -> None:
    template = parse_template("{hop_limit} {stage} {df}", NAMES)
    assert template.render({"hop_limit": -3, "stage": "later", "df": True}) == "-3 later yes"
    assert template.render({"stage": None, "df": False}) == "unknown unknown no"


def test_a_template_cannot_be_deeper_than_lua_can_nest() -> None:
    with pytest.raises(TemplateError, match="more than 60"):
        parse_template("{df} " * 40, NAMES)
