"""Vega-Lite specifications -> SVG, drawn here by vl-convert, so that the page needs no script of others for it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from heuristics.errors import visible
from postproc.case_report.charts import Chart

_SVG = "http://www.w3.org/2000/svg"
ET.register_namespace("", _SVG)
_FOR_READERS = re.compile(r"aria-.*|role|pointer-events")  # Vega's own roles, of which a reader hears every mark


def draw(chart: Chart) -> ET.Element:
    """The chart as one picture with a name and a description; each mark shows its values as a tooltip."""
    import vl_convert  # slow to use the first time: it starts an engine for JavaScript

    picture = ET.fromstring(vl_convert.vegalite_to_svg(chart.spec))
    for element in picture.iter():
        words = element.attrib.get("aria-label", "")
        for name in [name for name in element.attrib if _FOR_READERS.fullmatch(name)]:
            del element.attrib[name]
        if words and element.tag == f"{{{_SVG}}}path":
            ET.SubElement(element, f"{{{_SVG}}}title").text = words
    picture.attrib.pop("{http://www.w3.org/2000/xmlns/}xlink", None)
    title, description = ET.Element(f"{{{_SVG}}}title"), ET.Element(f"{{{_SVG}}}desc")
    title.text, description.text = visible(chart.title), visible(chart.caption)
    title.set("id", f"{chart.name}-title")
    description.set("id", f"{chart.name}-desc")
    picture[:0] = [title, description]
    picture.set("role", "img")
    picture.set("aria-labelledby", f"{chart.name}-title {chart.name}-desc")
    return picture


def as_markup(picture: ET.Element) -> str:
    """For a page of HTML."""
    return ET.tostring(picture, encoding="unicode")


def as_file(picture: ET.Element) -> bytes:
    """A file of its own, on white: who shows it may have a dark page."""
    white = ET.Element(f"{{{_SVG}}}rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    whole = ET.fromstring(ET.tostring(picture))
    whole.insert(2, white)
    content: bytes = ET.tostring(whole, encoding="utf-8", xml_declaration=True)
    return content
