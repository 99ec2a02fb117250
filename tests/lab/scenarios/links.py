"""What happens on an end's own link: a host there that forges, and an honest second router that takes over."""

from __future__ import annotations

import contextlib
from functools import partial

from .. import injectors
from ..lab import VERSIONS, Lab
from ..lan import Lan
from . import scenario


def _attacked(lab: Lab, side: str) -> None:
    node = Lan(lab, side, hub=True).attacker()
    port = lab.port(device=f"link_attacker_{side}")
    lab.serve(port)
    if lab.rng.random() < 0.6:
        lab.ordinary_traffic()
    injectors.Injector(lab, [port], injectors.neighbour, node)

    def talk_and_trigger(version: int) -> None:
        with contextlib.closing(lab.dial(version, port)) as connection:
            lab.talk(connection, lab.rng.randint(1, 3))
            lab.send_trigger(connection)

    lab.together(partial(talk_and_trigger, version) for version in VERSIONS * 3)


def _failed_over(lab: Lab, side: str) -> None:
    lan = Lan(lab, side, hub=lab.rng.random() < 0.3)
    lan.second_router()
    beyond = lab.topology.router(2 if side == "client" else lab.plan.routers - 1)
    lab.later(partial(lan.fail_over, beyond, side))
    ways = {"ABORT": "linger0", "UNREAD": "close_unread", "CLOSE": "data_after_close"}
    ports = {how: lab.port(server=f"{name}_after_failover") for how, name in ways.items()}
    mine = lab.port(client="client_linger_after_failover")
    for port in (*ports.values(), mine):
        lab.serve(port)
    talking = [(how, lab.dial(version, port)) for how, port in ports.items() for version in VERSIONS * 2]
    leaving = [lab.dial(version, mine) for version in VERSIONS * 2]
    for connection in (*(connection for _, connection in talking), *leaving):
        lab.talk(connection, 2)
    lan.fail_over(beyond, "backup")

    closed = lab.port(server="closed_port_after_failover")
    lab.together(
        [partial(lab.ask_to_end, how, connection, 0.3) for how, connection in talking]
        + [partial(lab.abort, connection) for connection in leaving]
        + [partial(lab.knock, version, closed) for version in VERSIONS]
    )


def _register(side: str) -> None:
    for name, run, about in (
        ("link-attacker", _attacked, f"A host on the {side}'s own link (a hub) forges resets, from its own MAC."),
        ("failover", _failed_over, f"Another router takes over what comes to the {side}'s link; resets are genuine."),
    ):
        task = partial(run, side=side)
        task.__doc__ = about
        scenario(f"{name}-{side}", place=side)(task)


_register("client")
_register("server")
