"""Overlays change only what they give; folders, old ids and definitions."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rulebook_files import BASE, NEAREST, NEW_RULE, RULE, messages, overlaid, written

from heuristics.errors import RulebookError
from heuristics.language.expressions import to_lua
from heuristics.rulebook.model import load


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


def test_a_table_stands_in_one_file_of_a_folder(base: Path) -> None:
    folder = base.parent / "rules"
    folder.mkdir()
    written(folder, "1.toml", "[verdict]\nforged = 310\n[thresholds]\nrun_step = 3")
    written(folder, "2.toml", "[verdict]\nprior = 11\n[thresholds]\n")
    with pytest.raises(RulebookError) as raised:
        load(base, [folder])
    assert str(raised.value) == (
        f"{folder}/2.toml: [verdict]: stands in {folder}/1.toml too (keep it in one file of a folder)"
    )
    written(folder, "2.toml", "[rulebook]\nversion = 9")
    assert load(base, [folder]).verdict.forged == 310
    assert load(base, [folder, written(base.parent, "later.toml", "[verdict]\nforged = 320")]).verdict.forged == 320


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
