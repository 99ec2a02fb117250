"""Explanations: which one is chosen, what it changes, how overlays change it, the same in both engines."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from support.lua_interpreters import LUAS, lua_value, needs_lua
from support.rulebook_files import CHANGE, FORGING, STORY, overlaid

from generator.render import render_plugin
from heuristics.errors import UnknownRuleError
from heuristics.language.expressions import named
from heuristics.observables.cross_flow_vocabulary import OF_CASE, OF_PAIR
from heuristics.observables.vocabulary import ALWAYS, OBSERVABLES, Type, Value
from heuristics.rulebook.model import Rulebook, load
from heuristics.rulebook.scoring import Judgement, Origin, Verdict, evidence_weights, judge

PRIOR = 10  # of BASE, whose rule "far" weighs 200 where hop_gap >= 2, and "front" -100


def seen(given: Mapping[str, Value]) -> dict[str, Value]:
    """An observation as the engines make it: what is always there is there, and the rest is missing but for `given`."""
    nothing: dict[Type, Value] = {Type.INT: 0, Type.BOOL: False, Type.STR: ""}
    return {o.name: nothing[o.type] if o.name in ALWAYS else None for o in OBSERVABLES} | dict(given)


def judged(rulebook: Rulebook, **given: Value) -> Judgement:
    return judge(rulebook, seen(given))


def far(rulebook: Rulebook, **given: Value) -> Judgement:
    """Of a reset for which "far" holds."""
    return judged(rulebook, hop_gap=3, **given)


def front(rulebook: Rulebook, **given: Value) -> Judgement:
    """Of a reset for which "front" holds."""
    return judged(rulebook, payload_kind="bigip", **given)


# Which explanation is chosen.


def test_an_honest_explanation_takes_its_signs_and_costs_its_price(base: Path) -> None:
    rulebook = overlaid(base, STORY)
    judgement = far(rulebook, window=1)
    assert (judgement.score, judgement.evidence) == (PRIOR + 50, ("far", "story"))
    assert judgement.verdict is Verdict.UNCLEAR
    assert far(load(base)).verdict is Verdict.LIKELY_FORGED


def test_a_forging_explanation_takes_the_signs_for_the_sender(base: Path) -> None:
    judgement = front(overlaid(base, FORGING), window=2)
    assert (judgement.score, judgement.evidence) == (PRIOR - 30, ("front", "forging"))


def test_no_explanation_without_its_condition(base: Path) -> None:
    judgement = far(overlaid(base, STORY), window=2)
    assert (judgement.score, judgement.evidence) == (PRIOR + 200, ("far",))


def test_a_missing_observable_rules_out_its_case_alone(base: Path) -> None:
    cases = CHANGE + 'cases = [{ when = "ip_id == 1", price = 5 }, { when = "window == 1", price = 90 }]'
    rulebook = overlaid(base, STORY, cases)
    assert far(rulebook, window=1).score == PRIOR + 90
    assert far(rulebook, window=1, ip_id=1).score == PRIOR + 5


@pytest.mark.parametrize("order", [(5, 90), (90, 5)])
def test_the_cheapest_case_that_holds_is_the_price(base: Path, order: tuple[int, int]) -> None:
    cases = ", ".join(f'{{ when = "window == 1", price = {price} }}' for price in order)
    assert far(overlaid(base, STORY, f"{CHANGE}cases = [{cases}]"), window=1).score == PRIOR + 5


@pytest.mark.parametrize(("price", "score"), [(199, PRIOR + 199), (200, PRIOR + 200), (201, PRIOR + 200)])
def test_an_explanation_that_gains_nothing_is_not_taken(base: Path, price: int, score: int) -> None:
    judgement = far(overlaid(base, STORY.replace("price = 50", f"price = {price}")), window=1)
    assert judgement.score == score
    assert ("story" in judgement.evidence) is (price == 199)


def test_signs_that_did_not_fire_or_are_disabled_gain_nothing(base: Path) -> None:
    assert judged(overlaid(base, STORY), window=1).evidence == ()
    without = overlaid(base, STORY, '[[rule]]\nid = "far"\nenabled = false')
    assert far(without, window=1).evidence == ()


def test_a_negative_price_counts_where_no_sign_did_fire(base: Path) -> None:
    judgement = judged(overlaid(base, STORY.replace("price = 50", "price = -60")), window=1)
    assert (judgement.score, judgement.evidence) == (PRIOR - 60, ("story",))


def test_an_explanation_takes_no_sign_of_its_own_side(base: Path) -> None:
    both = STORY.replace('"far"]', '"far", "front"]')
    judgement = judged(overlaid(base, both), hop_gap=3, payload_kind="bigip", window=1)
    assert judgement.score == PRIOR - 100 + 50


def test_the_explanation_that_changes_the_score_most_is_taken_of_either_side(base: Path) -> None:
    forging = FORGING.replace("window == 2", "window == 1")
    both: dict[str, Value] = {"hop_gap": 3, "payload_kind": "bigip", "window": 1}
    assert judged(overlaid(base, STORY, forging), **both).evidence == ("far", "front", "story")  # 150 against 70
    dear = STORY.replace("price = 50", "price = 131")  # 69 against 70
    assert judged(overlaid(base, dear, forging), **both).evidence == ("far", "front", "forging")


@pytest.mark.parametrize("first", ["story", "other"])
def test_of_two_that_change_it_as_much_the_first_of_the_rulebook_is_taken(base: Path, first: str) -> None:
    other = STORY.replace('"story"', '"other"')
    order = (STORY, other) if first == "story" else (other, STORY)
    assert far(overlaid(base, *order), window=1).evidence == ("far", first)
    forging = FORGING.replace("window == 2", "window == 1").replace("price = 30", "price = -50")  # 150 as well
    both: dict[str, Value] = {"hop_gap": 3, "payload_kind": "bigip", "window": 1}
    order = (STORY, forging) if first == "story" else (forging, STORY)
    chosen = "story" if first == "story" else "forging"
    assert judged(overlaid(base, *order), **both).evidence == ("far", "front", chosen)


def test_an_explanation_of_a_front_end_makes_it_the_origin(base: Path) -> None:
    story = STORY.replace('"endpoint"', '"front-end"').replace("price = 50", "price = -200")
    judgement = far(overlaid(base, story), window=1)
    assert (judgement.verdict, judgement.origin) == (Verdict.LIKELY_GENUINE, Origin.FRONT_END)


# What is said.


def test_the_cause_is_the_explanations_where_the_verdict_agrees(base: Path) -> None:
    own = '[[cause]]\nid = "any"\nwhen = "ip_version >= 0"\nsay = "some cause"\n'
    cheap = STORY.replace("price = 50", "price = -200")
    assert far(overlaid(base, cheap, own), window=1).cause == "it does so with window 1"
    assert far(overlaid(base, STORY, own), window=1).cause == "some cause"  # unclear
    dear = STORY.replace("price = 50", "price = 150")
    accused = far(overlaid(base, dear, own), window=1)
    assert (accused.verdict, accused.cause) == (Verdict.LIKELY_FORGED, "some cause")
    silent = cheap.replace('cause = "it does so with window {window}"\n', "")
    assert far(overlaid(base, silent, own), window=1).cause == "some cause"
    forging = FORGING.replace("price = 30", "price = -200")
    assert front(overlaid(base, forging, own), window=2).cause == "a device copied it"


def test_an_unclear_verdict_names_the_explanation_and_the_other_sender(base: Path) -> None:
    assert far(overlaid(base, STORY), window=1).reason == (
        "two explanations fit: an honest story, or another device sent it; "
        "to decide: capture at the named sender as well"
    )
    assert front(overlaid(base, FORGING), window=2).reason == (
        "two explanations fit: a forging story, or the sender did; to decide: capture at the named sender as well"
    )
    assert judged(overlaid(base, STORY), hop_limit=64).reason == "no idea about hop limit 64"


def test_the_weights_of_the_evidence_add_up_to_the_score(base: Path) -> None:
    rulebook = overlaid(base, STORY, FORGING)
    for judgement, weights in (
        (far(rulebook, window=1), [200, -150]),
        (front(rulebook, window=2), [-100, 70]),
        (far(rulebook), [200]),
        (judged(rulebook), []),
    ):
        assert evidence_weights(rulebook, judgement.evidence, judgement.score) == weights
        assert judgement.score == PRIOR + sum(weights)


def test_evidence_is_found_by_id(base: Path) -> None:
    rulebook = overlaid(base, STORY)
    assert rulebook.evidence("story") is rulebook.explanations[0]
    assert rulebook.evidence("far_ipv4") is rulebook.rule("far")
    with pytest.raises(UnknownRuleError, match=r"no rule 'frnt' \(did you mean 'front'\?\)"):
        rulebook.evidence("frnt")


# Overlays.


def test_new_explanations_come_last(base: Path) -> None:
    rulebook = overlaid(base, STORY, FORGING + CHANGE + 'title = "changed"')
    assert [(each.id, each.title) for each in rulebook.explanations] == [
        ("story", "changed"),
        ("forging", "a forging story"),
    ]


def test_an_overlay_adds_to_what_is_explained(base: Path) -> None:
    near = '[[rule]]\nid = "near"\ntitle = "t"\nwhen = "window == 1"\nweight = 70\nsay = "s"\nreference = "r"\n'
    added = overlaid(base, STORY, near + CHANGE + 'also_explains = ["near"]')
    assert added.explanations[0].explains == {"far", "near"}
    assert far(added, window=1).score == PRIOR + 50
    replaced = overlaid(base, STORY, near + CHANGE + 'explains = ["near"]')
    assert replaced.explanations[0].explains == {"near"}
    assert far(replaced, window=1).score == PRIOR + 200 + 50


def test_what_is_explained_may_have_an_old_id(base: Path) -> None:
    rulebook = overlaid(base, STORY.replace('"far"]', '"far_ipv6"]'))
    assert rulebook.explanations[0].explains == {"far"}


def test_an_overlay_changes_cases_and_with_them_the_price(base: Path) -> None:
    rulebook = overlaid(base, STORY, CHANGE + 'cases = [{ when = ["window == 7", "ip_id == 7"], price = 20 }]')
    assert far(rulebook, window=1).evidence == ("far",)
    assert far(rulebook, window=7).score == far(rulebook, ip_id=7).score == PRIOR + 20
    assert rulebook.explanations[0].say.source == "window {window} is honest"


def test_a_disabled_explanation_is_never_taken(base: Path) -> None:
    rulebook = overlaid(base, STORY, CHANGE + "enabled = false")
    assert far(rulebook, window=1).evidence == ("far",)
    assert [each.id for each in rulebook.all_explanations] == ["story"]


def test_the_hash_is_of_all_explanations_that_are_taken(base: Path) -> None:
    hashes = [
        overlaid(base, *contents).hash
        for contents in (
            (),
            (STORY,),
            (STORY, CHANGE + 'cases = [{ when = "window == 1", price = 51 }]'),
            (STORY, CHANGE + 'cause = "another"'),
            (STORY, CHANGE + 'explains = ["front"]'),
        )
    ]
    assert len(set(hashes)) == len(hashes)
    assert overlaid(base, STORY, CHANGE + "enabled = false").hash == hashes[0]


# Both engines.


def lua_judgements(lua: str, rulebook: Rulebook, observations: list[dict[str, Value]], folder: Path) -> list[str]:
    """What the judging part of the generated plugin says of each observation, run by a Lua outside Wireshark."""
    plugin = render_plugin(rulebook)
    judging = plugin[
        plugin.index("local text, LIMITS") : plugin.index("-- Verdict of the most suspicious reset of a flow")
    ]
    thresholds = plugin[plugin.index("local THRESHOLDS = {") :].partition("\n}\n")[0] + "\n}"
    lines = ["local floor = math.floor", thresholds, judging, "end"]
    for observation in observations:
        fields = ", ".join(f"[{name!r}] = {lua_value(value)}" for name, value in observation.items())
        lines.append(f"do local j = judge({{ {fields} }})")
        lines.append(
            "print(table.concat({ text(j.score), j.verdict, j.origin, j.evidence, j.reason, j.cause }, '|')) end"
        )
    script = folder / "judge.lua"
    script.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run([lua, str(script)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8").splitlines()


COUNTED: dict[str, Value] = {"ip_id": 7, "id_step": 1, "own_id_step": 1}
# What the explanations of the default rulebook ask for, and signs that each explains.
UNTRANSLATED: dict[str, Value] = {"untranslated": True, "spoke_after": False}
LIKELY: list[dict[str, Value]] = [
    COUNTED
    | {"sender_is_initiator": True, "spoke_after": True, "stage": "post-ack", "window": 502, "own_window": 502}
    | {"hop_gap": 0, "hop_limit": 64},
    COUNTED
    | {"hop_gap": 4, "distance_gap": 4, "hop_baseline": 56, "distance": 4, "baseline_distance": 8, "hop_limit": 60}
    | {"flow_packets": 12, "data_gap": 4, "seq_foreign": False, "syn_only": False, "opening_linux": False},
    COUNTED
    | {"hop_gap": 0, "opening_linux": False, "df": False, "opening_df": True, "df_clear": False, "hop_limit": 50},
    COUNTED
    | {"ts_step": 4, "hop_limit": 1, "hop_gap": 63, "distance_gap": 31, "hop_baseline": 64, "baseline_distance": 0}
    | {"distance": 31, "flow_packets": 12, "data_gap": 63, "syn_only": False, "seq_foreign": False},
    {"stray_packets": 1, "fin_before": True, "hop_limit": 50},
    UNTRANSLATED | {"sender_translated": True, "flow_packets": 0},
    UNTRANSLATED | {"peer_translated": True, "has_ack": False, "window": 0, "flow_packets": 3, "hop_gap": 1},
    {"host_translated": True, "has_ack": True, "flow_packets": 0, "stage": "post-syn", "distance": 0, "host_gap": 4}
    | {"host_packets": 12, "host_share": 100, "hop_baseline": 59, "baseline_distance": 5, "peer_distance": 2},
    {"host_translated": False, "has_ack": True, "flow_packets": 0, "stage": "post-syn", "distance": 3, "host_gap": 2}
    | {"host_packets": 12, "host_share": 100, "hop_baseline": 59, "baseline_distance": 5, "place_interrupts": False}
    | {"ip_version": 4, "rtt_us": 4000, "acked_us": 4000},
]


def python_judgement(judgement: Judgement) -> str:
    evidence = ",".join(judgement.evidence)
    return "|".join(
        (
            str(judgement.score),
            judgement.verdict.value,
            judgement.origin.value,
            evidence,
            judgement.reason,
            judgement.cause,
        )
    )


@needs_lua
def test_both_engines_choose_the_same_explanation(base: Path, tmp_path: Path) -> None:
    """Either side's, equal ones, gains of nothing and less, cases with missing observables, every verdict."""
    tie = STORY.replace('"story"', '"tie"').replace("window == 1", "window == 3")
    front_end = STORY.replace('"story"', '"proxy"').replace('"endpoint"', '"front-end"').replace("== 1", "== 4")
    cases = 'cases = [{ when = "ip_id == 1", price = -300 }, { when = ["window in {1, 3}", "df"], price = 150 }]'
    rulebook = overlaid(base, STORY, FORGING, tie + front_end, CHANGE + cases)
    observations = [
        seen({"hop_gap": gap, "payload_kind": kind, "window": window, "ip_id": ip_id, "df": df})
        for gap in (None, 0, 3)
        for kind in ("", "bigip")
        for window in range(5)
        for ip_id, df in ((None, None), (1, False), (2, True))
    ]
    expected = [judge(rulebook, observation) for observation in observations]
    taken = {judgement.evidence[-1] for judgement in expected if judgement.evidence}
    assert {"story", "forging", "tie", "proxy", "far", "front"} <= taken
    for lua in LUAS:
        said = lua_judgements(lua, rulebook, observations, tmp_path)
        assert said == [python_judgement(judgement) for judgement in expected]


@needs_lua
def test_both_engines_choose_the_same_explanation_of_the_default_rulebook(tmp_path: Path) -> None:
    """Over made-up observations, each of which makes a case of one explanation likely to hold.

    The plugin has no rules that read what only several captures show.
    """
    default, chance = load(), random.Random(5)
    of_several = {o.name for o in (*OF_CASE, *OF_PAIR)}
    rules = tuple(rule for rule in default.rules if of_several.isdisjoint(named(rule.condition)))
    rulebook = replace(default, all_rules=rules)
    values: dict[Type, list[Value]] = {Type.INT: [0, 1, 2, 3, 4, 12, 64, 502], Type.BOOL: [True, False], Type.STR: [""]}
    observations = []
    for likely in LIKELY * 60:
        found = {
            o.name: chance.choice(values[o.type]) for o in OBSERVABLES if o.name in ALWAYS or chance.random() < 0.6
        }
        observations.append(seen(found | {name: given for name, given in likely.items() if chance.random() < 0.9}))
    expected = [judge(rulebook, observation) for observation in observations]
    taken = {judgement.evidence[-1] for judgement in expected if judgement.evidence}
    assert {each.id for each in rulebook.explanations} <= taken
    for lua in LUAS:
        said = lua_judgements(lua, rulebook, observations, tmp_path)
        assert said == [python_judgement(judgement) for judgement in expected]
