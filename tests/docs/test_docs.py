"""The documentation says what the program says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from typer.testing import CliRunner

from generator.device_docs import device_page
from generator.profile import BUTTONS, MACROS, PACKET_LIST_COLUMNS
from heuristics.rulebook.model import Thresholds, load
from postproc.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"


def test_observables_are_the_vocabulary() -> None:
    """`make docs` rewrites the tables."""
    table = CliRunner().invoke(app, ["rules", "observables", "--format", "markdown"]).stdout
    icmp_table = CliRunner().invoke(app, ["rules", "observables", "--icmp", "--format", "markdown"]).stdout
    text = (DOCS / "observables.md").read_text(encoding="utf-8")
    assert table in text
    assert icmp_table in text


def test_limits_in_the_rulebook_chapter() -> None:
    text = (DOCS / "rulebook.md").read_text(encoding="utf-8")
    verdict = load().verdict
    for limit in (verdict.forged, verdict.likely_forged, verdict.likely_genuine, verdict.genuine):
        assert re.search(rf"\| {limit}\b", text), limit
    for threshold in fields(Thresholds):
        assert f"`{threshold.name}`" in text


def test_overlay_in_the_rulebook_chapter_is_good(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", (DOCS / "rulebook.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example
    overlay = tmp_path / "mine.toml"
    overlay.write_text(example[1], encoding="utf-8")
    rulebook = load(overlays=[overlay])
    assert rulebook.rule("our_ips").weight == 250
    assert not rulebook.rule("after_fin").enabled


def test_every_example_of_the_rulebook_chapter_is_good(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", (DOCS / "rulebook.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 7
    for number, example in enumerate(examples):
        overlay = tmp_path / f"{number}.toml"
        rule = '[[rule]]\nid = "after_fin"\n' if example.startswith("when") else ""
        overlay.write_text(rule + example, encoding="utf-8")
        load(overlays=[overlay])


def test_explanations_in_the_rulebook_chapter(tmp_path: Path) -> None:
    text = (DOCS / "rulebook.md").read_text(encoding="utf-8")
    for explanation in load().explanations:
        prices = sorted(case.price for case in explanation.cases)
        shown = f"{prices[0]} to {prices[-1]}" if prices[0] < prices[-1] else f"{prices[0]}"
        assert f"| `{explanation.id}` | {explanation.title} | {shown} |" in text
    (example,) = [each for each in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[[explanation]]" in each]
    overlay = tmp_path / "mine.toml"
    overlay.write_text(example, encoding="utf-8")
    rulebook = load(overlays=[overlay])
    by_id = {explanation.id: explanation for explanation in rulebook.all_explanations}
    assert [case.price for case in by_id["our_probe"].cases] == [-50, 100]
    assert [case.price for case in by_id["silent_drop"].cases] == [60]
    assert by_id["desync_fake"].explains >= {"ip_id_foreign", "hop_gap"}
    assert not by_id["other_stack"].enabled


def test_the_wireshark_chapter_names_everything() -> None:
    text = (DOCS / "wireshark.md").read_text(encoding="utf-8")
    plugin = (DOCS.parent / "plugins" / "rstorigin.lua").read_text(encoding="utf-8")
    fields_of_plugin = set(re.findall(r'ProtoField\.\w+\("(rstorigin\.\w+)"', plugin))
    assert len(fields_of_plugin) > 20
    for name in sorted(fields_of_plugin):
        assert f"`{name}`" in text, name
    for button in BUTTONS:
        assert f"| {button.label} |" in text
    for macro in MACROS:
        assert f"${{{macro.name}" in text
    for column in PACKET_LIST_COLUMNS:
        if column.format.startswith("rstorigin."):
            assert f"| {column.title} |" in text


def test_pictures_are_there_and_all_of_them_are_shown() -> None:
    shown = set()
    for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md"):
        for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / picture).is_file(), picture
            shown.add((page.parent / picture).resolve())
    assert shown == {path.resolve() for path in (DOCS / "pictures").iterdir()}


def test_the_devices_are_those_of_the_rulebook() -> None:
    """`make docs` writes them."""
    assert (DOCS / "devices.md").read_text(encoding="utf-8") == device_page()


def test_the_rules_for_ones_own_firewall_are_good(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", (DOCS / "own-firewall.md").read_text(encoding="utf-8"), re.DOTALL)
    overlay = tmp_path / "mine.toml"
    overlay.write_text("\n".join(examples), encoding="utf-8")
    rulebook = load(overlays=[overlay])
    assert rulebook.devices[0].id == "our_firewall"
    assert rulebook.causes[0].do
    assert rulebook.rule("our_firewall_form").weight == 250
