"""Genuine resets at the end of a life: idle, mute, killed, never accepted, or reborn under the same ports."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from functools import partial

from ..conversation import ask, close_abruptly
from ..lab import FAMILY, VERSIONS, Lab
from . import scenario


@scenario("idle-abort")
def idle_abort(lab: Lab) -> None:
    """The server lets a connection idle, then resets it."""

    def idles(version: int, port: int) -> None:
        connection = lab.dial(version, port, timeout=6)
        lab.talk(connection, 2)
        ask(connection, f"IDLE {lab.rng.randint(300, 2500)} ABORT")
        with contextlib.suppress(OSError):
            connection.recv(1)
        connection.close()

    port = lab.port(server="idle_linger0")
    lab.serve(port)
    lab.together(partial(idles, version, port) for version in VERSIONS * 3)


@scenario("keep-alive")
def keep_alive(lab: Lab) -> None:
    """The client falls mute; the server's keep-alive gives up and resets."""
    port = lab.port(server="keepalive_timeout")
    server = lab.serve(port)
    connections = [lab.dial(version, port) for version in VERSIONS * 2]
    for connection in connections:
        lab.talk(connection, 2)
    for accepted in list(server.connections):
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
            accepted.setsockopt(socket.IPPROTO_TCP, option, value)
    lab.firewall(lab.client, "output", [f"tcp dport {port} drop"])
    lab.pause(3.6 + 2 * lab.plan.one_way)
    lab.unblock(lab.client)
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.sendall(b"hello again\n")
        connection.close()


@scenario("killed")
def killed(lab: Lab) -> None:
    """The server's process is killed with data unread, or its sockets are destroyed (ss -K)."""
    port = lab.port(server="process_killed")
    for version in VERSIONS:
        holder = (
            "import socket,sys; s=socket.socket(fileno=0); s.listen(); k=[s.accept() for _ in range(2)]; s.accept()"
        )
        listener = lab.server.socket(FAMILY[version], socket.SOCK_STREAM)
        if version == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        with lab.server.entered():
            process = subprocess.Popen([sys.executable, "-c", holder], stdin=listener.fileno())
        lab.later(process.wait)
        lab.later(process.kill)
        listener.close()
        connections = _dial_patiently(lab, version, port)
        for connection in connections:
            if lab.rng.random() < 0.8:
                connection.sendall(b"never read")
        lab.hesitate()
        lab.pause(2 * lab.plan.one_way)
        process.kill()
        lab.pause(2 * lab.plan.one_way + 0.05)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(b"anyone?")
            connection.close()
    _destroyed(lab)


def _dial_patiently(lab: Lab, version: int, port: int) -> list[socket.socket]:
    """Connect twice to a server that may still be starting: no port is probed while it is closed."""
    for _ in range(100):
        if lab.server.run("ss", "-Hltn", f"sport = :{port}"):
            break
        time.sleep(0.02)
    return [lab.dial(version, port) for _ in range(2)]


def _destroyed(lab: Lab) -> None:
    port = lab.port(server="ss_K", client="client_kernel_reply")
    lab.serve(port)
    connections = [lab.dial(version, port) for version in VERSIONS * 2]
    for connection in connections:
        lab.talk(connection, 2)
    lab.hesitate()
    lab.server.run("ss", "-K", f"sport = :{port}", check=False)
    lab.pause(2 * lab.plan.one_way + 0.05)
    for connection in connections:
        connection.close()


def _listeners(lab: Lab, port: int, backlog: int) -> list[socket.socket]:
    """Sockets of the server, one a version, that accept nobody."""
    listeners = []
    for version in VERSIONS:
        listener = lab.server.socket(FAMILY[version], socket.SOCK_STREAM)
        if version == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        listener.listen(backlog)
        listeners.append(listener)
    return listeners


@scenario("never-accepted")
def never_accepted(lab: Lab) -> None:
    """A listener closes with connections it never accepted, some with data waiting."""
    port = lab.port(server="listener_closed_unaccepted")
    listeners = _listeners(lab, port, 8)
    connections = [lab.dial(version, port) for version in VERSIONS * 2]
    for connection in connections[1:]:
        connection.sendall(b"GET 10\n")
    lab.hesitate()
    lab.pause(lab.plan.one_way + 0.02)
    for listener in listeners:
        listener.close()
    lab.pause(2 * lab.plan.one_way + 0.05)
    for connection in connections:
        connection.close()


@scenario("port-reuse")
def port_reuse(lab: Lab) -> None:
    """A reset reaches one side only; then the same ports are used again, or the other side talks on."""
    reused = lab.port(client="client_reset_of_old_connection", server="server_kernel_reply")
    talked = lab.port(server="reset_of_forgotten_connection")
    lab.serve(reused)
    lab.serve(talked)
    sources = {version: 30_000 + lab.rng.randrange(2000) for version in VERSIONS}
    first = {version: lab.dial(version, reused, source_port=sources[version]) for version in VERSIONS}
    others = [lab.dial(version, talked) for version in VERSIONS]
    for connection in (*first.values(), *others):
        lab.talk(connection, 2)
    lab.firewall(lab.device, "forward", [f"tcp flags rst tcp sport {talked} drop",
                                         f"tcp flags rst tcp dport {reused} drop"])  # fmt: skip
    for connection in others:
        ask(connection, "ABORT")
    for connection in first.values():
        close_abruptly(connection)
    lab.pause(2 * lab.plan.one_way + 0.1)
    lab.unblock(lab.device)
    lab.hesitate(0.5)

    def again(version: int) -> None:
        connection = lab.dial(version, reused, source_port=sources[version], timeout=5)
        lab.talk(connection, 2)
        connection.close()

    def talk_on(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET 100\n")
        lab.pause(2 * lab.plan.one_way + 0.05)
        connection.close()

    lab.together([partial(again, v) for v in VERSIONS] + [partial(talk_on, connection) for connection in others])


@scenario("busy-listener")
def busy_listener(lab: Lab) -> None:
    """A full listen queue of a server that refuses when it overflows (tcp_abort_on_overflow)."""
    port = lab.port(server="listen_queue_overflow", client="client_kernel_reply")
    lab.server.sysctl(ipv4__tcp_abort_on_overflow=1)
    lab.later(partial(lab.server.sysctl, ipv4__tcp_abort_on_overflow=0))
    listeners = _listeners(lab, port, 0)

    def comes(version: int) -> None:
        with contextlib.suppress(OSError), contextlib.closing(lab.dial(version, port, timeout=1.5)) as connection:
            connection.sendall(b"GET 1\n")
            lab.pause(0.4)

    lab.together([partial(comes, version) for version in VERSIONS * 3])
    for listener in listeners:
        listener.close()
