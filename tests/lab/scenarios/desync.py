"""Clients that send a fake reset of their own before their first data, to confuse a censor (zapret, GoodbyeDPI)."""

from __future__ import annotations

import contextlib
import select
import socket
from dataclasses import replace
from functools import partial

from ..lab import VERSIONS, Lab
from ..packets import ACK, RST, TCP, Packet, read_frame
from ..wire import tap
from . import scenario

BACK = 66_000  # a sequence number so far back is in no window of a connection that has just begun


def _last_of_handshake(tapped: socket.socket, source_port: int) -> Packet:
    """The ACK that ends the handshake of the connection from a port."""
    while select.select([tapped], [], [], 3)[0]:
        packet = read_frame(tapped.recv(65536))
        if packet and packet.protocol == TCP and packet.source_port == source_port and packet.flags == ACK:
            return packet
    raise OSError(f"no handshake from port {source_port} was seen")


def _fake(lab: Lab, last: Packet) -> Packet:
    """A reset in the form of the client's last packet that dies on the way, or that the server drops."""
    changes: dict[str, object] = {"flags": lab.rng.choice((RST, RST | ACK)), "options": b""}
    if last.ip_id is not None:
        changes["ip_id"] = (last.ip_id + 1) & 0xFFFF
    if lab.plan.routers > 2 and lab.rng.random() < 0.6:
        return replace(last, **changes, hop_limit=lab.rng.randint(1, lab.plan.routers - 1))  # type: ignore[arg-type]
    return replace(last, **changes, sequence=(last.sequence - BACK) & 0xFFFFFFFF)  # type: ignore[arg-type]


@scenario("desync-fake")
def desync_fake(lab: Lab) -> None:
    """Before its first data the client's raw socket sends a fake reset that the server never gets, or drops."""
    port = lab.port(client="desync_fake")
    lab.serve(port)

    def talk(version: int) -> None:
        with (
            contextlib.closing(tap(lab.client, "server", outgoing=True)) as tapped,
            contextlib.closing(lab.dial(version, port)) as connection,
        ):
            last = _last_of_handshake(tapped, connection.getsockname()[1])
            lab.emit(lab.client, "server", _fake(lab, last))
            lab.talk(connection, 2)

    lab.together(partial(talk, version) for version in VERSIONS * 3)
