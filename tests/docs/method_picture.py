"""Draws docs/pictures/method.svg: how the hop limit and the clock show who sent a reset (make docs)."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "method.svg"

# Colours that colour-blind readers can tell apart (Okabe and Ito, Color Universal Design).
GENUINE, FORGED, INK, FAINT = "#0072B2", "#D55E00", "#222222", "#999999"
CLIENT, FIREWALL, SERVER = 90, 250, 800  # x of the hosts
PATH, ANSWER, RESET, CLOCK = 92, 178, 252, 345  # y of the lines
HOPS = 10  # to the server; the firewall is one hop away
RTT_MS, RESET_MS = 13, 0.03


def text(
    x: float, y: float, words: str, *, colour: str = INK, size: int = 16, anchor: str = "middle", bold: bool = False
) -> str:
    """A line of text."""
    weight = ' font-weight="bold"' if bold else ""
    look = f'fill="{colour}" font-size="{size}" text-anchor="{anchor}"{weight}'
    return f'<text x="{x:g}" y="{y:g}" {look}>{escape(words)}</text>'


def line(x: float, y: float, to_x: float, to_y: float, *, colour: str = INK, width: int = 2, more: str = "") -> str:
    """A straight line."""
    return f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke="{colour}" stroke-width="{width}"{more}/>'


def arrow(x: float, y: float, to_x: float, *, colour: str) -> str:
    """A horizontal arrow to the left."""
    head = f'<path d="M {to_x:g} {y:g} l 14 -7 l 0 14 z" fill="{colour}"/>'
    return line(x, y, to_x + 12, y, colour=colour, width=4) + head


def host(x: float, name: str, where: str, *, colour: str = INK) -> list[str]:
    """A box with its name above and its distance below."""
    box = f'x="{x - 38:g}" y="{PATH - 22}" width="76" height="44" rx="6"'
    return [
        f'<rect {box} fill="white" stroke="{colour}" stroke-width="3"/>',
        text(x, PATH + 6, name, colour=colour, bold=True),
        text(x, PATH - 34, where, size=14),
    ]


def path_between() -> list[str]:
    """The routers between: the firewall is hop 1, the server comes after hop 10."""
    step = (SERVER - FIREWALL) / HOPS
    routers = [FIREWALL + step * number for number in range(1, HOPS)]
    return [
        line(CLIENT, PATH, SERVER, PATH, colour=FAINT),
        *(f'<circle cx="{x:g}" cy="{PATH}" r="6" fill="white" stroke="{FAINT}" stroke-width="2"/>' for x in routers),
    ]


def hop_limits() -> list[str]:
    """What arrives at the client: the server's ping answer, and the reset."""
    return [
        text((CLIENT + SERVER) / 2 + 60, ANSWER - 12, "answer to a ping", size=15),
        arrow(SERVER, ANSWER, CLIENT, colour=GENUINE),
        text(CLIENT + 8, ANSWER - 12, f"hop limit {64 - HOPS}", colour=GENUINE, size=20, anchor="start", bold=True),
        text(SERVER, ANSWER + 20, f"64 - {HOPS} hops", colour=GENUINE, size=14, anchor="end"),
        arrow(FIREWALL, RESET, CLIENT, colour=FORGED),
        text(CLIENT + 8, RESET - 12, "hop limit 127", colour=FORGED, size=20, anchor="start", bold=True),
        text(
            FIREWALL + 14,
            RESET + 6,
            "reset that names the server as its sender: 128 - 1 hop",
            colour=FORGED,
            anchor="start",
        ),
    ]


def clock() -> list[str]:
    """The time from the client's packet to the reset, and to an answer of the server."""
    end = SERVER
    scale = (end - CLIENT) / RTT_MS
    reset = CLIENT + RESET_MS * scale
    face = (44, CLOCK)
    return [
        f'<circle cx="{face[0]}" cy="{face[1]}" r="17" fill="white" stroke="{INK}" stroke-width="3"/>',
        line(*face, face[0], face[1] - 11, width=3),
        line(*face, face[0] + 8, face[1] + 4, width=3),
        line(CLIENT, CLOCK, end, CLOCK, colour=FAINT),
        line(CLIENT, CLOCK - 8, CLIENT, CLOCK + 8),
        text(CLIENT, CLOCK + 28, "the client sends", size=14, anchor="start"),
        line(reset, CLOCK - 26, reset, CLOCK + 10, colour=FORGED, width=4),
        text(reset + 8, CLOCK - 20, f"the reset is here after {RESET_MS} ms", colour=FORGED, anchor="start", bold=True),
        line(end, CLOCK - 26, end, CLOCK + 10, colour=GENUINE, width=4),
        text(
            end - 8, CLOCK - 20, f"an answer of the server needs {RTT_MS} ms", colour=GENUINE, anchor="end", bold=True
        ),
    ]


def picture() -> str:
    """The whole picture."""
    parts = [
        *path_between(),
        *host(CLIENT, "client", "captures here"),
        *host(FIREWALL, "firewall", "1 hop away", colour=FORGED),
        *host(SERVER, "server", f"{HOPS} hops away", colour=GENUINE),
        *hop_limits(),
        text(
            CLIENT,
            CLOCK + 82,
            "Too near, and too early: the firewall sent the reset, not the server.",
            size=19,
            anchor="start",
            bold=True,
        ),
        *clock(),
    ]
    title = "Answers of the server: hop limit 54, after 13 ms; the reset: 127, after 0.03 ms. A firewall sent it."
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 890 455" font-family="sans-serif" role="img">',
            f"<title>{escape(title)}</title>",
            '<rect width="890" height="455" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")
    print(f"drew {PICTURE.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
