"""The report as one HTML file: no network, no plugin, no script of others.

A policy in the page (Content Security Policy) allows only its own script and style, each by its hash, so that text from
packets stays text even if some escaping failed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from heuristics.errors import visible
from heuristics.rulebook.scoring import Verdict
from heuristics.verdict_colours import VERDICT_COLOURS, VerdictColours
from postproc.case_report.charts import Chart
from postproc.case_report.content import Content
from postproc.case_report.drawing import as_markup, draw
from postproc.case_report.rows_data import as_script_data, rows_data
from postproc.report.icmp_summary import rejection_text
from postproc.runtime.clock import IN_UTC
from postproc.runtime.text import cut_in_the_middle, plural

_LONGEST = 300  # characters of one text in the page


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the report comes from: lines with versions, and commands that repeat it."""

    versions: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]


def html(content: Content, origin: Origin) -> str:
    """The whole page."""
    style, script = (files("postproc.case_report").joinpath("templates", name).read_text("utf-8") for name in _PARTS)
    style = _verdict_colours() + style
    rows = (*content.summary.resets, *content.summary.errors)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            content=content,
            origin=origin,
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            rows=len(rows),
            data=Markup(as_script_data(rows_data(rows))),
            verdicts=[verdict.value for verdict in Verdict],
            verdict_counts={share.name: share.resets for share in content.summary.totals.by_verdict},
        )
    )


_PARTS = ("report.css", "report.js")


def _verdict_colours() -> str:
    """The colours of verdicts as variables of the style, for light pages and for dark screens."""

    def variables(of: Callable[[VerdictColours], str]) -> str:
        names = ((verdict.replace(" ", "-"), colours) for verdict, colours in VERDICT_COLOURS.items())
        return ":root { " + " ".join(f"--{name}: #{of(colours).lower()};" for name, colours in names) + " }"

    light, dark = variables(lambda each: each.on_light), variables(lambda each: each.on_dark)
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{ {dark} }}\n"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("postproc.case_report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(chart=_chart, plural=plural, rejection=rejection_text, whole=_whole)
    environment.globals.update(moment=IN_UTC.moment)
    return environment


def _shown(value: Any) -> Any:
    """Every value: text as it is safe to show, and not too long."""
    return value if isinstance(value, Markup) else cut_in_the_middle(visible(str(value)), _LONGEST)


def _whole(value: str) -> Markup:
    """Text that is safe to show, and never cut: half a command repeats nothing."""
    return escape(visible(value))


def _chart(chart: Chart) -> Markup:
    return Markup(as_markup(draw(chart)))
