"""Namespaces that clean up after themselves, and doing things inside them.

The laboratory runs as process 1 of a process namespace of its own, with its own network and mounts. When it ends, in
whatever way, the kernel ends every process in it and removes every interface, rule and namespace: nothing is left to
clean up, and nothing outside was ever touched.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

INSIDE = "RSTORIGIN_LAB_INSIDE"
NAMESPACES = Path("/run/netns")  # where `ip netns` keeps them
CLONE_NEWNET = 0x40000000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)


def inside() -> bool:
    """Whether this process already runs in the laboratory's namespaces."""
    return os.environ.get(INSIDE) == "1"


def command() -> list[str]:
    """What goes before a command to run it in namespaces of its own that end with it."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
            "--kill-child=KILL", "--mount-proc", *user]  # fmt: skip


def why_not() -> str | None:
    """The reason why the laboratory cannot run here, or None where it can."""
    for program in ("unshare", "setpriv", "nsenter", "ip", "nft", "iptables", "ip6tables", "ethtool", "ss"):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            return f"{program} is not installed (packages: tests/lab/packages.txt)"
    script = "mount -t tmpfs lab /run && ip netns add probe && ip link add va type veth peer name vb"
    probe = subprocess.run([*command(), "sh", "-ec", script], capture_output=True, text=True, check=False, timeout=30)
    if probe.returncode != 0:
        return f"no namespaces for this user here: {probe.stderr.strip()}"
    return None


def enter(arguments: Sequence[str]) -> int:
    """Run `python -m tests.lab ARGUMENTS` in new namespaces; returns its exit status.

    SIGINT and SIGTERM end it at once, and with it everything inside.
    """
    environment = {**os.environ, INSIDE: "1", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    process = subprocess.Popen([*command(), sys.executable, "-m", "tests.lab", *arguments], env=environment)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        process.kill()
        process.wait()


def prepare() -> None:
    """Make `ip netns` private to the laboratory. Call once, inside."""
    subprocess.run(["mount", "-t", "tmpfs", "lab", "/run"], check=True)


class Node:
    """A host or router: one network namespace. Sockets made in it stay in it, whichever thread uses them."""

    def __init__(self, name: str) -> None:
        """Create the namespace."""
        self.name = name
        self.path = NAMESPACES / name
        subprocess.run(["ip", "netns", "add", name], check=True)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have this thread (only this one) work inside the node."""
        with Path("/proc/thread-self/ns/net").open("rb") as before, self.path.open("rb") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(before.fileno())

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Open a socket of this node."""
        with self.entered():
            return socket.socket(family, kind, protocol)

    def prefix(self) -> list[str]:
        """What goes before a command to run it on this node."""
        return ["nsenter", f"--net={self.path}", "--"]

    def run(self, *words: str, input: str | None = None, check: bool = True) -> str:
        """Run a command on this node; returns its output. Raises with the command's own words when it fails."""
        result = subprocess.run([*self.prefix(), *words], input=input, capture_output=True, text=True, check=False)
        if check and result.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(words)}: {result.stderr.strip()}")
        return result.stdout

    def start(self, *words: str, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start a program on this node and leave it running; it writes to `output`, or nowhere."""
        nothing = subprocess.DEVNULL
        return subprocess.Popen([*self.prefix(), *words], stdin=nothing, stdout=output or nothing, stderr=nothing)

    def ip(self, lines: Sequence[str]) -> None:
        """Run lines of `ip` commands, as `ip -batch` does."""
        result = subprocess.run(
            ["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise RuntimeError(f"{self.name}: {result.stderr.strip()}")

    def sysctl(self, **settings: int) -> None:
        """Set network sysctls by their name below net, dots written as two underscores: ipv4__tcp_timestamps=0."""
        with self.entered():
            for name, value in settings.items():
                Path("/proc/sys/net", *name.split("__")).write_text(str(value))

    def nft(self, rules: str) -> None:
        """Add nftables rules (a file's text)."""
        self.run("nft", "-f", "-", input=rules)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
