"""The documentation says what the program says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from typer.testing import CliRunner

from heuristics.rulebook import Thresholds, load
from postproc.cli.rules import app

DOCS = Path(__file__).parent.parent / "docs"


def test_observables_are_the_vocabulary() -> None:
    """`make docs` rewrites the tables."""
    table = CliRunner().invoke(app, ["observables", "--format", "markdown"]).stdout
    icmp_table = CliRunner().invoke(app, ["observables", "--icmp", "--format", "markdown"]).stdout
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
