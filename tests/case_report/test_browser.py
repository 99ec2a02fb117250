"""Reports in Chromium: nothing is fetched, nothing fails, the table works, hostile text stays text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from support.browser import CHROMIUM, SORT, browser, opened
from support.command_line import LAB, run
from support.judged_by_hand import judged_reset
from support.reports_by_hand import HOSTILE, ORIGIN, many_resets, report_of
from support.waiting import until

from postproc.case.case_file import CaseFile
from postproc.case_report.html import html

EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = [EXAMPLES / "first-five-minutes", EXAMPLES / "who-sends-tcp-rsts", LAB / "04_icmp.client.pcap"]
OPENS_WITHIN, SORTS_WITHIN = 2.0, 0.3  # seconds, with 20,000 resets

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(CHROMIUM is None, reason="scripts/system-packages.sh gui: chromium"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module", params=CASES, ids=lambda path: path.stem)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report") / "report.html"
    result = run("report", request.param, "-o", target, "--no-cache")
    assert result.exit_code == 0, result.output
    return target


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_examples_open_without_a_request_an_error_or_a_barrier(chromium: Browser, example: Path, scheme: str) -> None:
    with opened(chromium, example, color_scheme=scheme) as report:
        assert report.page.title() == "TCP resets: who sent them"
        found = Axe().run(report.page).response["violations"]
        assert [(each["id"], each["nodes"][0]["target"]) for each in found] == []
        # Every chart is drawn: it has marks with values, and a name that is read aloud.
        charts = report.page.locator("figure svg[role=img]")
        assert charts.count() == report.page.locator("figure").count() > 0
        for index in range(charts.count()):
            assert charts.nth(index).locator("path title").count() > 0
            assert charts.nth(index).bounding_box()["height"] > 60
        assert (report.messages, report.requests) == ([], [])


def test_the_table_sorts_filters_searches_and_unfolds(chromium: Browser, example: Path) -> None:
    with opened(chromium, example) as report:
        page = report.page
        total = len(report.texts("#body tr"))
        assert report.texts("#count") == [f"{total} of {total} rows"]
        page.get_by_role("button", name="frame", exact=True).click()
        frames = [int(text) for text in report.texts("#body td:first-child")]
        assert frames == sorted(frames)
        page.get_by_role("button", name="frame", exact=True).click()
        assert [int(text) for text in report.texts("#body td:first-child")] == sorted(frames, reverse=True)
        assert page.locator("th[aria-sort=descending]").inner_text() == "frame"
        verdict = report.texts("#body .verdict")[0]
        rest = sum(text != verdict for text in report.texts("#body .verdict"))
        page.locator(f"#controls input[value='{verdict}']").uncheck()
        assert len(report.texts("#body tr")) == rest
        page.locator(f"#controls input[value='{verdict}']").check()
        page.get_by_label("Search").fill(f"frame {frames[-1]} {verdict}")
        shown = report.texts("#body td:first-child")
        assert 0 < len(shown) < total
        page.get_by_label("Search").fill("nothing has these words")
        assert report.texts("#count") == [f"0 of {total} rows"]
        page.get_by_label("Search").fill("")
        button = page.locator("#body button").first
        button.focus()
        page.keyboard.press("Enter")  # as all of it works from the keyboard
        assert button.get_attribute("aria-expanded") == "true"
        assert report.texts("#body .evidence li") or report.texts("#body .evidence p")
        page.locator("#body .evidence .copy").first.click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == report.texts("#body .evidence code")[0]
        assert (report.messages, report.requests) == ([], [])


def test_nothing_is_wider_than_a_phone(chromium: Browser, example: Path) -> None:
    with opened(chromium, example, viewport={"width": 360, "height": 740}) as report:
        assert report.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_print_has_everything_and_no_controls(chromium: Browser, example: Path) -> None:
    with opened(chromium, example, color_scheme="dark") as report:
        report.page.emulate_media(media="print")
        assert not report.page.locator("#controls").is_visible()
        assert report.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert report.page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 35, 40)"
        assert report.page.pdf().startswith(b"%PDF")


def test_twenty_thousand_resets_open_and_sort_at_once(chromium: Browser, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text(html(report_of(many_resets(20_000)), ORIGIN), encoding="utf-8")
    with opened(chromium, target) as report:
        report.page.locator("#body tr").first.wait_for()
        inside = report.page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
        assert inside < OPENS_WITHIN * 1000
        for column in ("named sender", "suspicion", "cause or device"):
            # The shortest of some: the machine may have other work.
            assert min(report.page.evaluate(SORT, column) for _ in range(5)) < SORTS_WITHIN * 1000
        assert report.texts("#count") == ["20,000 of 20,000 rows"]
        assert 0 < report.page.locator("#body tr").count() < 1000
        before = report.page.locator("#body tr").count()
        report.page.locator("#window").evaluate("element => element.scrollTo(0, element.scrollHeight)")
        until(lambda: report.page.locator("#body tr").count() > before, "the next rows")


def test_hostile_text_stays_text(chromium: Browser, tmp_path: Path) -> None:
    resets = [
        judged_reset(words=(text, text), frame=index + 1, cause=text, device=text, reason=text, flow=text, where=text)
        for index, text in enumerate(HOSTILE)
    ]
    case = CaseFile(name="<script>document.title = 'owned'</script>", notes="</style><script>alert(1)</script>")
    target = tmp_path / "report.html"
    target.write_text(html(report_of(resets, case), ORIGIN), encoding="utf-8")
    with opened(chromium, target) as report:
        report.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for button in report.page.locator("#body button[aria-expanded]").all():
            button.click()
        assert report.page.title() == case.name
        assert report.texts("h1") == [case.name]
        assert report.texts(".notes") == [case.notes]
        assert report.page.locator("img, script[src], iframe, object").count() == 0
        assert report.page.locator("script").count() == 2
        shown = report.texts("#body .evidence li")
        assert {HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[5]} <= set(shown)
        assert not any("\u202e" in text or "\x1b" in text or len(text) > 400 for text in shown)
        assert report.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert (report.messages, report.requests) == ([], [])
