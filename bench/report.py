"""Size of a report, and how long it takes to write, to open and to sort.

usage: python -m bench.report [RESETS]

Needs Chromium, and the packages that `make setup-dev` installs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from support.browser import SORT, browser, opened
from support.reports_by_hand import ORIGIN, many_resets, report_of

from postproc.case_report.html import html


def main() -> None:
    """Measure one report, and print a line for each measurement."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    began = time.perf_counter()
    page = html(report_of(many_resets(count)), ORIGIN)
    written = time.perf_counter() - began
    empty = html(report_of(many_resets(1)), ORIGIN)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.html"
        target.write_text(page, encoding="utf-8")
        with browser() as chromium, opened(chromium, target) as report:
            loaded = report.page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
            sorts = [report.page.evaluate(SORT, title) for title in ("named sender", "suspicion", "time (UTC)")]
    print(f"{count:,} resets: {len(page) / 1e6:.2f} MB, with one reset {len(empty) / 1e6:.2f} MB")
    print(f"written in {written:.2f} s, opens in {loaded / 1000:.2f} s, sorts in {max(sorts) / 1000:.3f} s")


if __name__ == "__main__":
    main()
