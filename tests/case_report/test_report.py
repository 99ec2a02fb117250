"""What a report says, how large it is, and that hostile text cannot leave its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import pytest
from support.command_line import FORGED, LAB, SITUATIONS, run
from support.judged_by_hand import GENUINE, UNCLEAR, judged_reset
from support.reports_by_hand import HOSTILE, ORIGIN, many_resets, report_of

from postproc.capture.discovery import find_sources
from postproc.capture.tshark.program import find_tshark
from postproc.case.case_file import CaseFile
from postproc.case_report.hop_limits import ordinary_hop_limits
from postproc.case_report.html import html
from postproc.case_report.rows_data import as_script_data, rows_data

EXAMPLES = Path(__file__).parents[2] / "examples" / "first-five-minutes"
MOST_WITHOUT_DATA = 3_000_000  # bytes


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of the example captures."""
    target = tmp_path_factory.mktemp("report") / "report.html"
    result = run("report", EXAMPLES, "-o", target, "--no-cache")
    assert (result.exit_code, result.output) == (0, "")
    return target.read_text("utf-8")


def test_the_first_screen_has_the_answer_of_the_summary(page: str) -> None:
    summary = run("summarize", EXAMPLES, "--no-cache", "--format", "json").stdout
    shown = re.findall(r"<p>(.*?)</p>", page.partition('class="answer"')[2].partition("</div>")[0])
    assert [sentence.replace("&#39;", "'") for sentence in shown] == json.loads(summary)["answer"]
    first = page.partition('id="senders"')[0]
    assert "What you can do" in first
    assert 'id="timeline"' in first


def test_every_sender_in_between_has_a_section_with_its_hosts(page: str) -> None:
    assert page.count('<article class="sender">') == 4
    for host in ("203.0.113.20", "203.0.113.21", "203.0.113.29"):
        assert f"<h3>Hop limits of {host}</h3>" in page
    assert "Squares: 10 ordinary packets of 203.0.113.20, most with hop limit 58" in page
    assert "the suspect ones have 64" in page
    assert "tcp.flags.reset == 1 &amp;&amp; (ip.ttl in {62})" in page


def test_nothing_is_fetched_and_only_the_own_script_runs(page: str) -> None:
    assert "default-src &#39;none&#39;" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:,)""", page)
    assert "@import" not in page
    assert not re.search(r"url\(", page)
    assert not re.search(r"\son\w+=", page.partition("<script")[0])
    assert len(page.encode()) < MOST_WITHOUT_DATA


def test_it_says_how_it_was_made(page: str) -> None:
    for words in ("SHA-256", "rstorigin report", "rstorigin explain", "Method and limits", "transparent proxy"):
        assert words in page


def test_ordinary_hop_limits_are_those_of_every_packet_of_the_host(tmp_path: Path) -> None:
    (source,) = find_sources([EXAMPLES / "firewall-refuses.pcap"]).files
    table, unread = ordinary_hop_limits([source], ["203.0.113.20", "2001:db8:7:7::14"], find_tshark())
    counts = {host: (set(of["hop_limit"]), of["packets"].sum()) for (host,), of in table.group_by("src")}
    assert counts == {"203.0.113.20": ({58}, 10), "2001:db8:7:7::14": ({58}, 11)}
    assert unread == ()
    target = tmp_path / "export.tsv"
    assert run("export", source.path, "-o", target).exit_code == 0
    (export,) = find_sources([target]).files
    again, _ = ordinary_hop_limits([export], ["203.0.113.20", "2001:db8:7:7::14"], None)
    assert again["packets"].sum() == 21


def test_a_case_without_resets_with_one_and_with_problems(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    quiet = LAB / "02_reject_syn_r1.server.pcap"
    assert run("report", quiet, "-o", target).exit_code == 0
    assert "There is no TCP reset in 1 capture" in target.read_text("utf-8")
    assert run("report", SITUATIONS / "big-ip-cause.pcap", "-o", target).exit_code == 0
    assert "The only reset" in target.read_text("utf-8")
    cut = tmp_path / "cut<b>.pcap"
    cut.write_bytes(FORGED.read_bytes()[:-3])
    assert run("report", cut, "-o", target).exit_code == 1
    assert "cut&lt;b&gt;.pcap: the capture is cut short" in target.read_text("utf-8")
    assert run("report", tmp_path / "none", "-o", target).exit_code == 2
    assert run("report", FORGED, "-o", FORGED).exit_code == 2


def test_a_capture_in_an_archive_is_read_a_second_time_too(tmp_path: Path) -> None:
    archive, target = tmp_path / "case.zip", tmp_path / "report.html"
    with ZipFile(archive, "w") as file:
        file.write(EXAMPLES / "firewall-refuses.pcap", "firewall-refuses.pcap")
    assert run("report", archive, "-o", target).exit_code == 0
    assert "Squares: 10 ordinary packets of 203.0.113.20" in target.read_text("utf-8")


def test_captures_from_both_ends_stand_in_it(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    result = run("report", *sorted(LAB.glob("05_tcpkill_r1.*.pcap")), "-o", target)
    assert result.exit_code == 0, result.output
    assert "Captures from both ends" in target.read_text("utf-8")


def test_the_data_of_the_table_holds_every_row() -> None:
    resets = [judged_reset(frame=1), judged_reset(frame=2, **GENUINE), judged_reset(frame=3, **UNCLEAR, silence_us=5)]
    data = json.loads(as_script_data(rows_data(resets)))
    assert data["frame"] == [1, 2, 3]
    assert data["silence_us"] == [None, None, 5]
    assert [data["texts"][index] for index in data["verdict"]] == ["forged", "genuine", "unclear"]
    assert data["texts"] == sorted(data["texts"]), "the page sorts by index"
    assert [data["texts"][index] for index in data["evidence"][0]] == list(resets[0].words)


def test_hostile_text_is_escaped_in_every_place() -> None:
    resets = [judged_reset(words=(text,), cause=text, src=text, capture=text, flow=text) for text in HOSTILE]
    page = html(report_of(resets, CaseFile(name=HOSTILE[0], notes=HOSTILE[2])), ORIGIN)
    assert page.count("<script") == 2
    assert page.count("</script>") == 2 + page.count("<script>document") == 2
    assert "<img" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "a" * 400 not in page
    assert "{{ 7 * 7 }}" in page, "no template sees it"


def test_markdown_has_its_pictures_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a ticket.md"
    result = run("report", EXAMPLES, "--format", "markdown", "-o", target, "--no-cache")
    assert (result.exit_code, result.output) == (0, "")
    text = target.read_text("utf-8")
    pictures = re.findall(r"!\[.*?\]\(<(.*?)>\)", text)
    assert len(pictures) > 4
    assert {*pictures} == {path.name for path in tmp_path.iterdir()} - {target.name}
    for name in pictures:
        picture = ET.parse(tmp_path / name).getroot()
        assert picture.find("{http://www.w3.org/2000/svg}title") is not None
        assert b"script" not in (tmp_path / name).read_bytes()
    assert text.startswith("# TCP resets: who sent them\n\n- 8 of 17 resets are forged")


def test_many_resets_stay_small() -> None:
    page = html(report_of(many_resets(5_000)), ORIGIN)
    assert len(page) < 5_000 * 200 + MOST_WITHOUT_DATA / 10
    assert "<desc" in page


def test_a_log_is_compared_with_the_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = EXAMPLES.parent / "firewall-log"
    arguments = [folder / "client.pcap", "--log", folder / "conntrack.log", "--log-format", folder / "conntrack.toml"]
    for format_ in ("html", "markdown"):
        result = run("report", *arguments, "-o", tmp_path / "report", "--format", format_, "--no-cache")
        assert (result.exit_code, result.output) == (0, "")
        text = (tmp_path / "report").read_text("utf-8")
        assert "The log is contradicted in 4 of" in text
        assert text.count("did not send the reset") >= 4
        assert "Line 8, 192.0.2.30 port 58108 to 203.0.113.40 port 80" in text
        assert "Clock: " in text
        assert "1 more: rstorigin reconcile" not in text
    monkeypatch.setattr("postproc.case_report.log_findings._SHOWN", 3)
    for format_ in ("html", "markdown"):
        run("report", *arguments, "-o", tmp_path / "report", "--format", format_, "--no-cache")
        assert "1 more: rstorigin reconcile" in (tmp_path / "report").read_text("utf-8")
    monkeypatch.undo()
    page = run("report", *arguments, "-o", tmp_path / "report.html", "--no-cache")
    assert page.exit_code == 0
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "<td>CLOSE mark=2</td>" in text
    assert "--log-format" in text.partition("Commands that repeat it")[2]


def test_the_format_of_a_log_needs_a_log(tmp_path: Path) -> None:
    result = run("report", FORGED, "-o", tmp_path / "report.html", "--log-format", "panos-traffic")
    assert (result.exit_code, "--log-format needs a log" in result.stderr) == (2, True)
    assert not (tmp_path / "report.html").exists()
