"""Genuine resets whose cause shows in the packets around them: a restart, a keep-alive race, a crash."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from ..conversation import ask
from ..lab import VERSIONS, Lab
from . import scenario


@scenario("restart")
def restart(lab: Lab) -> None:
    """A service stops, for a while nobody listens on its port, then it accepts again."""
    port = lab.port(server="restart_closed_port")
    server = lab.serve(port)
    for version in VERSIONS:
        with contextlib.closing(lab.dial(version, port)) as connection:
            lab.talk(connection, 1)
    lab.pause(2 * lab.plan.one_way + 0.1)
    server.close()
    for _ in range(3):
        lab.together(partial(lab.knock, version, port) for version in VERSIONS)
    lab.serve(port)
    for version in VERSIONS:
        with contextlib.closing(lab.dial(version, port)) as connection:
            lab.talk(connection, 1)


@scenario("keep-alive-race")
def keep_alive_race(lab: Lab) -> None:
    """The server closes connections that were idle for a while, just as the client sends its next request."""

    def races(version: int, port: int, idle: float) -> None:
        connection = lab.dial(version, port, timeout=6)
        lab.talk(connection, 1)
        begin = time.monotonic()
        ask(connection, f"IDLE {round(idle * 1000)} CLOSE")
        time.sleep(max(0.0, begin + idle + 1.5 * lab.plan.one_way - time.monotonic()))
        with contextlib.suppress(OSError):
            connection.sendall(b"GET 100\n")
            connection.recv(1)
        lab.pause(2 * lab.plan.one_way + 0.05)
        connection.close()

    port = lab.port(server="keep_alive_race")
    lab.serve(port)
    lab.together(partial(races, version, port, lab.rng.uniform(1.2, 2.0)) for version in VERSIONS * 3)
