"""Scans: many refusals, and raw SYNs whose answers the scanner's own kernel resets."""

from __future__ import annotations

from functools import partial

from ..lab import VERSIONS, Lab
from ..packets import SYN, TCP, Packet
from . import scenario


@scenario("scan-connect")
def scan_connect(lab: Lab) -> None:
    """A port scan with connect(): closed ports, a few open ones."""
    ports = [lab.port(server="closed_port_scan", client="client_scan_close") for _ in range(24)]
    for port in lab.rng.sample(ports, 3):
        lab.serve(port)
    lab.together((partial(lab.knock, version, port) for port in ports for version in VERSIONS), spread=0.8)


@scenario("scan-raw-syn")
def scan_raw_syn(lab: Lab) -> None:
    """A raw-socket SYN scan with random hop limits: open ports answer, and the scanner's kernel resets."""
    ports = [lab.port(server="closed_port_raw_scan", client="syn_scan_kernel_reply") for _ in range(16)]
    for port in lab.rng.sample(ports, 8):
        lab.serve(port)
    source = lab.rng.randrange(40_000, 60_000)
    limits = (lab.rng.randint(37, 59), lab.rng.randint(60, 255))  # nmap: 37 to 59
    for port in lab.rng.sample(ports, len(ports)):
        for version in VERSIONS:
            syn = Packet(
                version, lab.address("client", version), lab.address("server", version),
                lab.rng.randint(min(limits), max(limits)), TCP,
                lab.rng.randrange(1, 65536) if version == 4 else None, False, 0, 0, source, port,
                lab.rng.randrange(1 << 32), 0, SYN, window=1024, options=b"\x02\x04\x05\xb4",
            )  # fmt: skip
            lab.emit(lab.client, "server", syn)
        lab.hesitate(0.06)
    lab.pause(2 * lab.plan.one_way + 0.05)
