"""The laboratory's own small protocol: a client asks for an answer, or for one of the many ways to end badly.

GET n         n bytes of answer
ABORT         close with a reset (SO_LINGER 0)
UNREAD        close while the client's next data lies unread
CLOSE         close as usual
CLOSE-ABORT   send FIN, then reset
HALF          send FIN, go on reading
IDLE n ABORT  wait n milliseconds, then reset
IDLE n CLOSE  wait n milliseconds, then close as usual
LATER n m     wait n milliseconds, then m bytes of answer
HOLD          keep the connection and say nothing
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

from .sandbox import Node

IPV6_UNICAST_HOPS = 16  # linux/in6.h


def close_abruptly(connection: socket.socket) -> None:
    """Close with a reset instead of FIN."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def ask(connection: socket.socket, question: str) -> int:
    """Ask, and read the answer where the question has one; returns its length."""
    connection.sendall(question.encode() + b"\n")
    wanted = int(question.split()[1]) if question.startswith("GET") else 0
    got = 0
    while got < wanted:
        data = connection.recv(65536)
        if not data:
            break
        got += len(data)
    return got


class Server:
    """Answers on one port of a node, over IPv4 and IPv6. `hop_limit` is its own, None the host's."""

    def __init__(self, node: Node, port: int, hop_limit: int | None, backlog: int = 64) -> None:
        """Begin to listen."""
        self.connections: list[socket.socket] = []
        self.listeners = []
        for family in (socket.AF_INET, socket.AF_INET6):
            listener = node.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if hop_limit:
                    listener.setsockopt(socket.IPPROTO_IPV6, IPV6_UNICAST_HOPS, hop_limit)
            elif hop_limit:
                listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop_limit)
            listener.bind(("", port))
            listener.listen(backlog)
            self.listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            with connection.makefile("rb", buffering=0) as lines:
                for line in iter(lines.readline, b""):
                    if not answer(connection, line.decode("latin-1").split()):
                        return
            connection.close()

    def close(self) -> None:
        """Stop listening and close what is left, as usual."""
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def answer(connection: socket.socket, words: list[str]) -> bool:
    """Do as asked; returns whether to go on reading."""
    match words:
        case ["GET", count, *_]:
            connection.sendall(b"x" * int(count))
            return True
        case ["ABORT"]:
            close_abruptly(connection)
        case ["IDLE", milliseconds, "ABORT"]:
            time.sleep(int(milliseconds) / 1000)
            close_abruptly(connection)
        case ["IDLE", milliseconds, "CLOSE"]:
            time.sleep(int(milliseconds) / 1000)
            connection.close()
        case ["UNREAD"]:
            connection.sendall(b"x" * 700)
            connection.recv(1, socket.MSG_PEEK)
            connection.close()
        case ["CLOSE"]:
            connection.close()
        case ["CLOSE-ABORT"]:
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.03)
            close_abruptly(connection)
        case ["HALF"]:
            connection.shutdown(socket.SHUT_WR)
            return True
        case ["LATER", milliseconds, count]:
            time.sleep(int(milliseconds) / 1000)
            connection.sendall(b"x" * int(count))
            return True
        case ["HOLD"]:
            return True
    return False
