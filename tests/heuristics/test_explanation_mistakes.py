"""Every mistake in an explanation is named with file, entry and place."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rulebook_files import BASE, CHANGE, NEW_RULE, STORY, messages, written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('explains = ["frr"]', "explains: there is no rule 'frr' (did you mean 'far'?)"),
        ('also_explains = ["zzzz"]', "explains: there is no rule 'zzzz'"),
        ('explains = "far"', "explains: must be a list, not 'far'"),
        (
            'explains = ["Far"]',
            "explains: 'Far' is not allowed (small letters, digits and underscores, a letter first)",
        ),
        ("cases = []", "cases: must not be empty"),
        ("cases = [1]", "case 1: must be a table, not 1"),
        ("cases = [{ price = 1 }]", "case 1, when: is missing"),
        ('cases = [{ when = "window == 1" }]', "case 1, price: is missing"),
        ('cases = [{ when = "window == 1", price = 2001 }]', "case 1, price: must be at most 2000, not 2001"),
        ('cases = [{ when = "window == 1", price = 1.5 }]', "case 1, price: must be a whole number, not 1.5"),
        (
            'cases = [{ when = "window == 1", prize = 1, price = 1 }]',
            "case 1: unknown key 'prize' (did you mean 'price'?)",
        ),
        (
            'cases = [{ when = "window == 1", price = 1 }, { when = "window == 1\\n and hop_gpa > 1", price = 2 }]',
            "case 2, when, line 2, column 6: unknown observable 'hop_gpa' (did you mean 'hop_gap'?)",
        ),
        (
            'cases = [{ when = ["window == 1", "window"], price = 2 }]',
            "case 1, when, text 2, column 1: a condition is needed here, and this is a number",
        ),
        ('origin = "router"', "origin: must be 'endpoint', 'front-end' or 'middlebox', not 'router'"),
        ('say = "{windw}"', "say, column 2: unknown observable 'windw' (did you mean 'window'?)"),
        ('cause = "{verdict}"', "cause, column 2: unknown observable 'verdict'"),
        ("price = 3", "unknown key 'price'"),
    ],
)
def test_each_mistake_is_named_with_its_file_entry_and_place(base: Path, change: str, message: str) -> None:
    assert messages(base, STORY, CHANGE + change) == [f"mine1.toml: explanation 'story': {message}"]


def test_the_id_of_a_rule_is_no_id_of_an_explanation(base: Path) -> None:
    said = messages(base, STORY.replace('"story"', '"front"'))
    assert said == ["mine0.toml: explanation 'front': id: 'front' is a rule already (choose another id)"]
    said = messages(base, STORY.replace('"story"', '"far_ipv4"'))
    assert said == ["mine0.toml: explanation 'far_ipv4': id: 'far_ipv4' is a rule already (choose another id)"]


def test_the_id_of_an_explanation_is_no_id_of_a_later_rule(base: Path) -> None:
    rule = NEW_RULE.replace('"near"', '"story"')
    assert messages(base, STORY, rule) == [
        "mine1.toml: rule 'story': id: 'story' is an explanation already (choose another id)"
    ]


def test_a_new_explanation_is_complete(base: Path) -> None:
    said = messages(base, STORY + '[[explanation]]\nid = "stori"\norigin = "endpoint"')
    assert said == [
        "mine0.toml: explanation 'stori': a new explanation needs title, explains, cases, say, reference too"
        " (did you mean 'story'?)"
    ]
    without = messages(base, STORY.replace('say = "window {window} is honest"\n', ""))
    assert without == ["mine0.toml: explanation 'story': a new explanation needs say too"]


def test_an_explanation_in_two_files_of_a_folder_is_named(base: Path) -> None:
    folder = base.parent / "folder"
    folder.mkdir()
    for name in ("1.toml", "2.toml"):
        written(folder, name, (BASE if name == "1.toml" else "") + STORY)
    assert messages(folder) == [
        "folder/2.toml: explanation 'story': stands in folder/1.toml too (give each its own id)"
    ]
