"""Reports of results made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.case.case_file import CaseFile
from postproc.case_report.content import Content, Results, content
from postproc.case_report.hop_limits import SCHEMA
from postproc.case_report.html import Origin
from postproc.report.summary import summarise
from postproc.verdicts.result_row import JudgedReset
from support.judged_by_hand import GENUINE, judged_reset

# What packets, names and rulebooks may hold to break a page: elements, handlers, ends of scripts, directions, length.
HOSTILE = (
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "</script><script>document.title = 'owned'</script>",
    "\"' onmouseover='document.title = 1' x='",
    "javascript:document.title='owned'",
    "{{ 7 * 7 }}{% raw %}",
    "abc\u202egnp.exe\u2066\x1b[31m\x00",
    "<!--<script>",
    "a" * 10_000,
)
ORIGIN = Origin([("rstorigin", "1")], [("this report", "rstorigin report CASE -o report.html")])


def report_of(
    resets: Sequence[JudgedReset], case: CaseFile | None = None, errors: Sequence[JudgedReset] = ()
) -> Content:
    """The content of the report of one capture. Its hosts have ordinary packets with hop limit 59."""
    rules = load()
    judged = [CaptureResult("a.pcap", 99, tuple(resets), (), errors=tuple(errors))]
    usual = {"capture": "a.pcap", "time_us": 1_000_000, "hop_limit": 59, "packets": 12}

    def hop_limits(_: Sequence[str], hosts: Sequence[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
        return pl.DataFrame([{**usual, "src": host} for host in hosts], schema=SCHEMA), ()

    summary = summarise(judged, rules, 10)
    return content(Results(summary, judged, [], ["a.pcap"], case or CaseFile(), rules), hop_limits)


def many_resets(count: int) -> list[JudgedReset]:
    """`count` resets of many senders over a day, every third one genuine."""
    resets = []
    for index in range(count):
        values = {
            "frame": index + 1,
            "time": 1_700_000_000 + index * 86_400 / count,
            "src": f"203.0.113.{index * 7 % 250}",
            "sport": 443,
            "dst": f"198.51.100.{index % 250}",
            "dport": 1024 + index % 60_000,
            "flow": f"ip.addr == 198.51.100.{index % 250} && tcp.port == {1024 + index % 60_000}",
            "suspicion": 99 - index % 20,
            "silence_us": index * 977 % 90_000_000,
        }
        words = (f"hop limit 63 is {index % 9} away from what this sender shows", "acknowledges bytes too soon")
        genuine = {**GENUINE, "cause": "connection refused"} if index % 3 == 0 else {}
        resets.append(judged_reset(500 - index % 400, words, **{**values, **genuine}))
    return resets
