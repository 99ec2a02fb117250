"""Genuine resets in their ordinary forms: refusing, aborting, closing with data unread, closing twice."""

from __future__ import annotations

import contextlib
import socket
from functools import partial

from ..conversation import ask, close_abruptly
from ..lab import VERSIONS, Lab
from . import scenario


@scenario("ordinary")
def ordinary(lab: Lab) -> None:
    """Connections that end as they should; no reset at all, or only those of clients that left early."""
    port = lab.port()
    lab.serve(port)
    for _ in range(4):
        for version in VERSIONS:
            with contextlib.closing(lab.dial(version, port)) as connection:
                lab.talk(connection)


@scenario("closed-port")
def closed_port(lab: Lab) -> None:
    """Connecting to ports on which the server does not listen, some with a type of service set."""

    def refused(version: int, tos: int) -> None:
        lab.knock(version, lab.port(server="closed_port_tos" if tos else "closed_port"), tos=tos)
        lab.hesitate()

    lab.together(partial(refused, version, lab.rng.choice((0, 0, 0x48))) for version in VERSIONS for _ in range(4))


@scenario("host-firewall")
def host_firewall(lab: Lab) -> None:
    """The server's own firewall rejects with reset: new connections, and established ones."""
    new = [lab.port(server="host_firewall_reject") for _ in range(2)]
    old = [lab.port(server="host_firewall_reject_established") for _ in range(2)]
    for port in (*new, *old):
        lab.serve(port)
    talking = [lab.dial(version, port) for port in old for version in VERSIONS]
    for connection in talking:
        lab.talk(connection)
    ports = ", ".join(map(str, (*new, *old)))
    lab.firewall(lab.server, "input", [f"tcp dport {{ {ports} }} reject with tcp reset"])
    lab.together(
        [partial(lab.knock, version, port) for port in new for version in VERSIONS]
        + [partial(lab.send_trigger, connection) for connection in talking]
    )


@scenario("aborts")
def aborts(lab: Lab) -> None:
    """Either side aborts: SO_LINGER 0 in the midst of a talk, closing with data unread, reset after FIN."""

    def server_side(version: int, port: int, how: str) -> None:
        connection = lab.dial(version, port)
        lab.talk(connection, lab.rng.randint(0, 3))
        ask(connection, how)
        if how == "UNREAD":
            lab.hesitate(0.05)
            connection.sendall(b"y" * lab.rng.randint(1, 3000))
        lab.pause(2 * lab.plan.one_way + 0.05)
        with contextlib.suppress(OSError):
            connection.sendall(b"more")
        lab.hesitate()
        connection.close()

    def client_side(version: int, port: int, how: str) -> None:
        connection = lab.dial(version, port)
        lab.talk(connection, lab.rng.randint(1, 3))
        connection.sendall(f"GET {lab.rng.randint(20_000, 90_000)}\n".encode())
        lab.hesitate(2 * lab.plan.one_way + 0.03)
        if how == "linger":
            close_abruptly(connection)
        else:  # data unread, or about to come
            connection.close()

    ways = {"ABORT": "linger0", "UNREAD": "close_unread", "CLOSE-ABORT": "fin_then_linger0"}
    ports = {how: lab.port(server=name) for how, name in ways.items()}
    mine = {how: lab.port(client=f"client_{how}") for how in ("linger", "close_unread")}
    for port in (*ports.values(), *mine.values()):
        lab.serve(port)
    lab.together(partial(server_side, v, port, how) for how, port in ports.items() for v in VERSIONS * 2)
    lab.together(partial(client_side, v, port, how) for how, port in mine.items() for v in VERSIONS * 2)


@scenario("data-after-close")
def data_after_close(lab: Lab) -> None:
    """The server closes as usual and gone is the socket: the client's later data are answered with reset."""

    def closes(version: int, port: int) -> None:
        connection = lab.dial(version, port)
        lab.talk(connection, lab.rng.randint(1, 3))
        ask(connection, "CLOSE")
        lab.pause(2 * lab.plan.one_way + 0.05)
        for _ in range(lab.rng.randint(1, 3)):
            with contextlib.suppress(OSError):
                connection.sendall(b"late\n")
            lab.hesitate(0.1)
        connection.close()

    port = lab.port(server="data_after_close")
    lab.serve(port)
    lab.together(partial(closes, version, port) for version in VERSIONS * 3)


@scenario("half-close")
def half_close(lab: Lab) -> None:
    """The client shuts its sending side and leaves while the server still sends; or the other way round."""

    def client_shuts(version: int, port: int) -> None:
        connection = lab.dial(version, port)
        lab.talk(connection, 1)
        connection.sendall(b"GET 60000\n")
        connection.shutdown(socket.SHUT_WR)
        lab.hesitate(2 * lab.plan.one_way + 0.02)
        connection.close()

    def server_shuts(version: int, port: int) -> None:
        connection = lab.dial(version, port)
        lab.talk(connection, 1)
        ask(connection, "HALF")
        lab.hesitate()
        connection.sendall(b"ABORT\n" if lab.rng.random() < 0.6 else b"CLOSE\n")
        lab.pause(2 * lab.plan.one_way + 0.05)
        with contextlib.suppress(OSError):
            connection.sendall(b"still here?\n")
        connection.close()

    first = lab.port(client="client_close_after_half", server="server_kernel_reply")
    second = lab.port(server="abort_after_half_close")
    lab.serve(first)
    lab.serve(second)
    lab.together(partial(client_shuts, version, first) for version in VERSIONS * 2)
    lab.together(partial(server_shuts, version, second) for version in VERSIONS * 2)


@scenario("own-hop-limit")
def own_hop_limit(lab: Lab) -> None:
    """A service with a hop limit of its own: it aborts and closes with data unread; other ports are closed."""

    def ends(version: int, port: int, how: str) -> None:
        connection = lab.dial(version, port)
        lab.talk(connection, 2)
        ask(connection, how)
        if how == "UNREAD":
            connection.sendall(b"y" * 2000)
        lab.pause(2 * lab.plan.one_way + 0.04)
        with contextlib.suppress(OSError):
            connection.sendall(b"late")
            lab.hesitate(0.05)
        connection.close()

    for _ in range(2):
        limit = lab.rng.randint(30, 255)
        lab.remarks.append(f"service with hop limit {limit}")
        ports = {"ABORT": lab.port(server="own_hop_limit_linger0"), "UNREAD": lab.port(server="own_hop_limit_unread")}
        for port in ports.values():
            lab.serve(port, hop_limit=limit)
        tasks = [partial(ends, version, port, how) for how, port in ports.items() for version in VERSIONS]
        closed = lab.port(server="own_hop_limit_closed_port")
        lab.together([*tasks, *(partial(lab.knock, version, closed) for version in VERSIONS)])
