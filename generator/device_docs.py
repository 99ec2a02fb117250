"""docs/devices.md: the devices and mechanisms that the default rulebook knows by the form of their resets.

`python -m generator.device_docs FOLDER` (`make docs`) writes it in the source tree FOLDER.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from heuristics.rulebook.model import load

_HEAD = """\
# Known devices

What the default rulebook recognises by the form of a reset or an ICMP error; written by `make docs`. The name never
changes a verdict: most forms are shared with honest kernels, so a device in between is named only where the verdict
says that there is one. The percentage says how sure the name is; a range means that it depends on the form. To add one:
[a rule for your own firewall](own-firewall.md).
"""


def device_page() -> str:
    """The page, with each device once."""
    return "\n".join([_HEAD, *_resets(), "", "## ICMP errors", "", *_errors(), ""])


def _resets() -> Iterator[str]:
    yield "| device | how sure | recognised by (source) |"
    yield "|---|---|---|"
    devices = load().devices
    for name in dict.fromkeys(device.say.source for device in devices):
        alike = [device for device in devices if device.say.source == name]
        sure = sorted({device.confidence for device in alike})
        percent = f"{sure[0]} %" if len(sure) == 1 else f"{sure[0]} to {sure[-1]} %"
        sources = "; ".join(dict.fromkeys(device.reference for device in alike))
        yield f"| {name} | {percent} | {sources} |"


def _errors() -> Iterator[str]:
    yield "| device | recognised by (source) |"
    yield "|---|---|"
    for entry in load().icmp:
        if entry.device:
            yield f"| {entry.device} | {entry.reference} |"


def main(root: Path) -> None:
    """Write the page in the source tree `root`."""
    (root / "docs" / "devices.md").write_text(device_page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
