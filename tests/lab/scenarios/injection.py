"""Forged resets: real tools (tcpkill, ngrep), and forgers of our own in known manners."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from functools import partial

from .. import injectors
from ..lab import TRIGGER, VERSIONS, Lab
from . import scenario


def _talk_and_trigger(lab: Lab, version: int, port: int) -> None:
    with contextlib.closing(lab.dial(version, port)) as connection:
        lab.talk(connection, lab.rng.randint(1, 3))
        lab.send_trigger(connection)


def _ready(lab: Lab, interface: str) -> None:
    """Wait until a tool has opened its capture socket on the device."""
    for _ in range(100):
        if lab.device.run("ss", "-H0", check=False).count(interface) > 1:
            break
        time.sleep(0.02)
    lab.pause(0.15)


@scenario("tcpkill")
def tcpkill(lab: Lab) -> None:
    """dsniff's tcpkill on a router resets running connections, both ways, with many copies (IPv4 only)."""
    port = lab.port(device="tcpkill")
    lab.serve(port)
    connections = [lab.dial(4, port) for _ in range(2)]
    for connection in connections:
        lab.talk(connection, 2)
    interface = lab.rng.choice(("client", "server"))
    killer = lab.program(lab.device, "tcpkill", "-i", interface, f"-{lab.rng.randint(1, 4)}", "tcp", "port", str(port))
    _ready(lab, interface)
    lab.together(partial(_last_words, lab, connection) for connection in connections)
    killer.kill()


def _last_words(lab: Lab, connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        lab.talk(connection, 2)
    connection.close()


@scenario("ngrep-kill")
def ngrep_kill(lab: Lab) -> None:
    """ngrep -K on a router resets the connections in which it finds a word (IPv4 only)."""
    port = lab.port(device="ngrep_K")
    lab.serve(port)
    interface = lab.rng.choice(("client", "server"))
    copies = str(lab.rng.randint(1, 4))
    killer = lab.program(
        lab.device, "ngrep", "-q", "-K", copies, "-d", interface, TRIGGER.decode(), "tcp", "port", str(port)
    )
    _ready(lab, interface)
    lab.together(partial(_talk_and_trigger, lab, 4, port) for _ in range(3))
    killer.kill()


def _forge(lab: Lab, name: str, manner: injectors.Manner, in_path: bool) -> None:
    port = lab.port(device=f"{name}_in_path" if in_path else f"{name}_on_side")
    lab.serve(port)
    if in_path:
        lab.iptables("-A", "FORWARD", "-p", "tcp", "--dport", str(port), "-m", "string", "--algo", "bm",
                     "--string", TRIGGER.decode(), "-j", "DROP")  # fmt: skip
    injectors.Injector(lab, [port], manner)
    lab.together(partial(_talk_and_trigger, lab, version, port) for version in VERSIONS * 3)


def _register(name: str, manner: Callable[..., object], about: str, everywhere: bool = False) -> None:
    for in_path in (True, False):

        def run(lab: Lab, in_path: bool = in_path) -> None:
            _forge(lab, name.replace("-", "_"), manner, in_path)  # type: ignore[arg-type]

        place = "in the path, dropping the original" if in_path else "beside the path, the original goes on"
        run.__doc__ = f"{about} The forger is {place}."
        scenario(f"{name}-{'in-path' if in_path else 'on-side'}", everywhere=everywhere)(run)


_register("hop-copying", injectors.hop_copying, "Forged resets with the hop limit the sender's packets have.", True)
_register("reset-both", injectors.plain, "Resets to both ends with the device's own hop limit.")
_register("gfw-like", injectors.gfw_like, "A burst: one bare reset, three with ACK at +0, +1460, +4380.")
_register("snort-like", injectors.snort_like, "Resets with the flow's own hop limit, random IP ID, DF clear.")
_register("block-page", injectors.block_page, "A page in the server's name, then a reset, from the device.")
_register("mirroring", injectors.mirroring, "Resets with fields copied from the offending packet.")
