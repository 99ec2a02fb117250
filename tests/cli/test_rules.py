"""`rstorigin rules`: results on stdout, messages on stderr, 0 for done and 2 for wrong usage or a bad rulebook."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from support.command_line import FORGED, LAB, rows
from typer.testing import CliRunner, Result

from heuristics.rulebook.model import Rulebook, load
from postproc.cli.app import app

MINE = """\
[[rule]]
id = "my_rule"
title = "Window | of my box"
when = "window in {1, 2} and known(ip_id)"
weight = 250
say = "Window {window}"
reference = "Own measurement"
enabled = false

[[explanation]]
id = "my_story"
title = "Our box | answers"
origin = "endpoint"
explains = ["near_initial", "my_rule"]
cases = [{ when = "window == 1 and known(ip_id)", price = 90 }, { when = ["not df", "flow_label == 0"], price = -7 }]
say = "Window {window}, our box"
cause = "our box"
reference = "Ticket 5"
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rules", *arguments])


def test_list_shows_every_rule_and_explanation() -> None:
    result = run("list")
    assert result.exit_code == 0
    assert all(rule.id in result.stdout and rule.title in result.stdout for rule in load().all_rules)
    assert all(each.id in result.stdout and each.title in result.stdout for each in load().all_explanations)


def test_list_as_csv_and_json_says_the_same(mine: str) -> None:
    explanations = [each.id for each in load().all_explanations]
    ids = [*(rule.id for rule in load().all_rules), "my_rule", *explanations, "my_story"]
    table = list(csv.DictReader(io.StringIO(run("list", "--format", "csv", "--rulebook", mine).stdout)))
    rules = json.loads(run("list", "--format", "json", "--rulebook", mine).stdout)
    lines = [json.loads(line) for line in run("list", "--format", "jsonl", "--rulebook", mine).stdout.splitlines()]
    assert [row["id"] for row in table] == [rule["id"] for rule in rules] == ids
    assert lines == rules
    by_id = {row["id"]: row for row in table}
    title = "Window | of my box"
    assert by_id["my_rule"] == {
        "id": "my_rule", "kind": "rule", "weight": "250", "price": "", "enabled": "no", "title": title,
    }  # fmt: skip
    assert table[-1] == {
        "id": "my_story", "kind": "explanation", "weight": "", "price": "from -7 to 90", "enabled": "yes",
        "title": "Our box | answers",
    }  # fmt: skip
    (mine_again,) = [rule for rule in rules if rule["id"] == "my_rule"]
    assert (mine_again["kind"], mine_again["when"]) == ("rule", "window in {1, 2} and known(ip_id)")
    assert rules[-1] == {
        "id": "my_story",
        "kind": "explanation",
        "enabled": True,
        "title": "Our box | answers",
        "origin": "endpoint",
        "explains": ["near_initial", "my_rule"],
        "cases": [
            {"when": "window == 1 and known(ip_id)", "price": 90},
            {"when": ["not df", "flow_label == 0"], "price": -7},
        ],
        "say": "Window {window}, our box",
        "cause": "our box",
        "reference": "Ticket 5",
    }


def test_markdown_keeps_its_columns_whatever_a_title_says(mine: str) -> None:
    lines = run("list", "--format", "markdown", "--rulebook", mine).stdout.splitlines()
    assert r"Our box \| answers" in lines[-1]
    assert len(lines) == 2 + len(load().all_rules) + 1 + len(load().all_explanations) + 1


def test_show_describes_a_rule(mine: str) -> None:
    result = run("show", "my_rule", "--rulebook", mine)
    assert result.exit_code == 0
    for text in ("Window | of my box", "window in {1, 2}", "+250 centi-nats", "times 12.2", "Window {window}", "no"):
        assert text in result.stdout
    assert "Own measurement" in result.stdout
    assert "ip_id: IPv4 identification" in result.stdout


def test_show_describes_an_explanation(mine: str) -> None:
    result = run("show", "my_story", "--rulebook", mine)
    assert result.exit_code == 0
    weight = load().rule("near_initial").weight
    assert result.stdout.splitlines() == [
        "my_story: Our box | answers",
        "  origin     endpoint: what it explains does not count against the sender",
        f"  explains   near_initial ({weight:+d}): {load().rule('near_initial').title}",
        "             my_rule (+250, disabled): Window | of my box",
        "  case       window == 1 and known(ip_id)",
        "  price      90 centi-nats",
        "  case       not df",
        "  or         flow_label == 0",
        "  price      -7 centi-nats",
        "  says       Window {window}, our box",
        "  cause      our box",
        "  enabled    yes",
        "  reference  Ticket 5",
        "  reads",
        "    window (bytes): TCP window field as it stands in the header, unscaled",
        "    ip_id: IPv4 identification; missing in IPv6",
        "    df: IPv4 don't-fragment bit; missing in IPv6",
        "    flow_label: IPv6 flow label; missing in IPv4",
    ]


def test_show_says_whose_signs_a_forgers_explanation_explains() -> None:
    lines = run("show", "injected_data").stdout.splitlines()
    assert "  origin     middlebox: what it explains does not count for the sender" in lines
    definition = "    follows_counter: ip_id != 0 and 1 <= id_step <= 64 and 1 <= own_id_step <= 64"
    assert run("show", "desync_fake").stdout.splitlines().count(definition) == 1


def test_show_tells_of_definitions(tmp_path: Path) -> None:
    result = run("show", "same_path")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("same_path: the reset and the packets of the sender take one path")
    assert "  is         ip_version == 4" in lines
    assert "  or         flow_label == opening_label or host_has_one_path" in lines
    assert "  missing    never" in lines
    assert any(line.startswith("    host_has_one_path: host_values == 1 and") for line in lines)
    assert "    flow_label: IPv6 flow label; missing in IPv4" in lines
    mine = tmp_path / "mine.toml"
    mine.write_text('[define.stable_share]\nis = "77"\n', encoding="utf-8")
    assert "  is         77" in run("show", "stable_share", "--rulebook", str(mine)).stdout.splitlines()
    assert (
        "    target_nearest (hops): the smallest distance that the target shows"
        in run("show", "target_place_known").stdout
    )


def test_show_says_what_became_of_an_old_rule() -> None:
    result = run("show", "own_firewall_ipv6")
    assert result.exit_code == 0
    assert result.stdout.startswith("own_firewall_ipv6 is now own_firewall.\n\nown_firewall: As the sender's own")


def test_observables_are_listed_with_thresholds_and_definitions(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[define.mine]\nmeaning = "my own"\nunit = "us"\nis = "rtt_us * 2"\n', encoding="utf-8")
    rows = json.loads(run("observables", "--format", "json", "--rulebook", str(mine)).stdout)
    by_name = {row["name"]: row for row in rows}
    assert len(by_name) == len(rows)
    assert by_name["mine"] == {
        "name": "mine",
        "type": "int",
        "source": "define",
        "unit": "us",
        "missing": "may be",
        "meaning": "my own",
    }
    assert by_name["hop_tolerance"]["source"] == "thresholds"
    assert by_name["hop_gap"]["missing"] == "may be"
    icmp = {row["name"] for row in json.loads(run("observables", "--icmp", "--format", "json").stdout)}
    assert "target_place_known" in icmp
    assert "mine" not in icmp


def test_a_folder_is_checked_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "1.toml").write_text(MINE, encoding="utf-8")
    (tmp_path / "2.toml").write_text('[define.x]\nmeaning = "m"\nis = "window > 1"\n', encoding="utf-8")
    assert f"{tmp_path}: ok" in run("check", str(tmp_path)).stdout
    (tmp_path / "2.toml").write_text('[define.x]\nmeaning = "m"\nis = """\nwindow\n> widow"""\n', encoding="utf-8")
    result = run("check", str(tmp_path))
    assert result.exit_code == 2
    assert f"{tmp_path}/2.toml: define 'x': is, line 2, column 3: unknown observable 'widow'" in result.stderr


def test_show_names_the_nearest_rule(mine: str) -> None:
    result = run("show", "my_rul\x1b", "--rulebook", mine)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "no rule 'my_rul\\x1b' (did you mean 'my_rule'?)\n"
    assert run("show", "my_stor", "--rulebook", mine).stderr == "no rule 'my_stor' (did you mean 'my_story'?)\n"


def test_check_says_ok(mine: str) -> None:
    result = run("check", mine)
    assert result.exit_code == 0
    assert f"{mine}: ok" in result.stdout
    counts = f"{len(load().rules)} rules, {len(load().explanations) + 1} explanations, {len(load().reasons)} reasons"
    assert counts in result.stdout


def test_check_reports_all_problems_on_stderr(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(MINE.replace("250", "9999").replace("{window}", "{widow}"), encoding="utf-8")
    result = run("check", str(bad))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "weight: must be at most 2000" in result.stderr
    assert "say, column 9: unknown observable 'widow' (did you mean 'window'?)" in result.stderr


@pytest.mark.parametrize("command", [["list"], ["show", "my_rule"]])
def test_a_missing_rulebook_is_wrong_usage(command: list[str], tmp_path: Path) -> None:
    result = run(*command, "--rulebook", str(tmp_path / "none.toml"))
    assert result.exit_code == 2
    assert "none.toml: cannot be read: No such file or directory" in result.stderr


@pytest.mark.parametrize("command", ["list", "show", "check"])
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def entries_of(rules: Rulebook) -> dict[str, list[str]]:
    """The ids of all entries, by table."""
    return {
        "rule": [each.id for each in rules.all_rules],
        "explanation": [each.id for each in rules.all_explanations],
        "reason": [each.id for each in rules.reasons],
        "cause": [each.id for each in rules.causes],
        "where": [each.id for each in rules.wheres],
        "device": [each.id for each in rules.devices],
        "advice": [each.id for each in rules.advices],
        "icmp": [each.id for each in rules.icmp],
        "define": [each.name for each in rules.defines],
        "icmp_define": [each.name for each in rules.icmp_defines],
    }


def test_list_all_has_every_entry_in_every_format() -> None:
    expected = [(kind, id_) for kind, ids in entries_of(load()).items() for id_ in ids]
    contents = json.loads(run("list", "--all", "--format", "json").stdout)
    assert [(entry["kind"], entry["id"]) for entry in contents] == expected
    lines = run("list", "--all", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == contents
    rows = list(csv.DictReader(io.StringIO(run("list", "--all", "--format", "csv").stdout)))
    assert [(row["kind"], row["id"]) for row in rows] == expected
    for format_ in ("table", "markdown"):
        assert len(run("list", "--all", "--format", format_).stdout.splitlines()) == 2 + len(expected)
    (device,) = [entry for entry in contents if (entry["kind"], entry["id"]) == ("device", load().devices[0].id)]
    first = load().devices[0]
    assert device["say"] == first.say.source
    assert (device["confidence"], device["reference"]) == (first.confidence, first.reference)


def test_show_describes_every_entry() -> None:
    for kind, ids in entries_of(load()).items():
        for id_ in ids[:3]:
            result = run("show", id_)
            assert result.exit_code == 0, (kind, id_)
            assert f"{id_}: " in result.stdout
    device = load().devices[0]
    shown = run("show", device.id).stdout
    for text in ("a known device or mechanism ([[device]])", device.say.source, f"{device.confidence} %", "  reads"):
        assert text in shown
    cause = next(each for each in load().causes if "verdict" in str(each.when) or "origin" in str(each.when))
    assert "what may have made the sender reset ([[cause]])" in run("show", cause.id).stdout


def test_show_names_the_nearest_entry_of_any_kind() -> None:
    id_ = load().wheres[0].id
    result = run("show", f"{id_}x")
    assert result.exit_code == 2
    assert "did you mean" in result.stderr


TRIAL = """\
[[rule]]
id = "hop_gap"
weight = 0

[[rule]]
id = "any_reset"
title = "Any reset"
when = "hop_limit > 0"
weight = -1000
say = "hop limit {hop_limit}"
reference = "none"

[[rule]]
id = "no_reset"
title = "No reset"
when = "hop_limit > 255"
weight = -1000
say = "hop limit {hop_limit}"
reference = "none"
"""


@pytest.fixture
def trial(tmp_path: Path) -> str:
    path = tmp_path / "trial.toml"
    path.write_text(TRIAL, encoding="utf-8")
    return str(path)


def test_try_says_what_fires_and_which_verdicts_change(trial: str) -> None:
    before, now = (rows(FORGED, *more) for more in ((), ("--rulebook", trial)))
    content = json.loads(run("try", trial, str(FORGED), "--format", "json").stdout)
    assert content["judged"] == 3
    fired = {each["id"]: each for each in content["fired"]}
    assert set(fired) == {"hop_gap", "any_reset", "no_reset"}
    assert (fired["any_reset"]["before"], fired["any_reset"]["now"]) == (0, 3)
    assert sum(fired["any_reset"]["verdicts"].values()) == 3
    assert (fired["no_reset"]["now"], fired["no_reset"]["verdicts"]) == (0, {})
    assert fired["hop_gap"]["before"] == sum("hop_gap" in row["evidence"].split(";") for row in before) > 0
    moved = {
        int(one["frame"]): (one["verdict"], other["verdict"])
        for one, other in zip(before, now, strict=True)
        if one["verdict"] != other["verdict"]
    }
    changes = {each["frame"]: each for each in content["changes"]}
    found = {frame: (each["verdict_before"], each["verdict"]) for frame, each in changes.items()}
    assert {frame: verdicts for frame, verdicts in found.items() if verdicts[0] != verdicts[1]} == moved
    assert moved[2][0] == "forged"
    assert all("any_reset" in each["gained"] for each in changes.values())


def test_try_in_every_format(trial: str, tmp_path: Path) -> None:
    table = run("try", trial, str(FORGED)).stdout
    assert table.startswith("Resets and ICMP errors judged: 3. ")
    assert " from forged to " in table.splitlines()[0]
    assert "your entry" in table
    markdown = run("try", trial, str(FORGED), "--format", "markdown").stdout
    assert "|:" in markdown
    changes = json.loads(run("try", trial, str(FORGED), "--format", "json").stdout)["changes"]
    lines = [json.loads(line) for line in run("try", trial, str(FORGED), "--format", "jsonl").stdout.splitlines()]
    assert lines == changes
    table_rows = list(csv.DictReader(io.StringIO(run("try", trial, str(FORGED), "--format", "csv").stdout)))
    assert [row["gained"] for row in table_rows] == [";".join(change["gained"]) for change in changes]
    target = tmp_path / "out.json"
    assert run("try", trial, str(FORGED), "--format", "jsonl", "-o", str(target)).exit_code == 0
    assert target.read_text(encoding="utf-8").splitlines() == [json.dumps(change) for change in changes]


def test_try_of_a_rulebook_that_changes_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[rulebook]\nname = "mine"\n', encoding="utf-8")
    result = run("try", str(mine), str(FORGED))
    counts = "0 verdicts changed; 0 more with other evidence, suspicion or texts."
    assert (result.exit_code, result.stdout) == (0, f"Resets and ICMP errors judged: 3. {counts}\n")


def test_try_judges_icmp_errors_and_texts_too(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    entry = 'when = "hop_limit > 0"\nsay = "ours"\nverdict = "unclear"\norigin = "unknown"\nsuspicion = 50\n'
    cause = '[[cause]]\nid = "ours"\nwhen = "hop_limit > 0"\nsay = "our cause"\n'
    mine.write_text(f'[[icmp]]\nid = "our_icmp"\n{entry}reference = "none"\n{cause}', encoding="utf-8")
    captures = (str(FORGED), str(LAB / "04_icmp.client.pcap"))
    content = json.loads(run("try", str(mine), *captures, "--format", "json").stdout)
    assert content["fired"] == [{"id": "our_icmp", "before": 0, "now": 32, "verdicts": {"unclear": 32}}]
    texts = [change["texts"] for change in content["changes"] if change["kind"] == "rst"]
    assert texts == [["cause"]] * 3


def test_try_reports_what_is_wrong(trial: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('[[rule]]\nid = "hop_gap"\nwieght = 1\n', encoding="utf-8")
    assert run("try", str(bad), str(FORGED)).exit_code == 2
    assert run("try", trial, str(tmp_path / "none.pcap")).exit_code == 2
    assert run("try", trial, str(FORGED), str(tmp_path / "none.pcap")).exit_code == 1
