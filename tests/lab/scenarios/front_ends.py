"""Front-ends: SYN proxy, reverse proxies, address translation. They own what they answer for."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from functools import partial
from pathlib import Path

from ..conversation import ask, close_abruptly
from ..lab import FAMILY, VERSIONS, Lab
from . import scenario


@scenario("syn-proxy")
def syn_proxy(lab: Lab) -> None:
    """nftables synproxy on a router does the handshake; data and resets are the server's own."""
    lab.device.sysctl(netfilter__nf_conntrack_tcp_loose=0)
    ports = {how: lab.port(server=f"synproxy_{how.lower()}") for how in ("ABORT", "UNREAD", "CLOSE")}
    ports["closed"] = lab.port(server="synproxy_closed_port")
    lab.setup.renumbered.update(ports.values())
    numbers = ", ".join(map(str, ports.values()))
    lab.device.nft(f"""table inet lab {{
 chain before {{ type filter hook prerouting priority -300
  tcp dport {{ {numbers} }} tcp flags & (fin|syn|rst|ack) == syn notrack
 }}
 chain forward {{ type filter hook forward priority 0
  meta nfproto ipv4 tcp dport {{ {numbers} }} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
 }}
}}
""")
    # nft_synproxy checks IPv6 segments with the IPv4 checksum and drops them; the ip6tables target does not.
    for port in ports.values():
        lab.device.run("ip6tables", "-A", "FORWARD", "-p", "tcp", "--dport", str(port), "-m", "conntrack", "--ctstate",
                       "INVALID,UNTRACKED", "-j", "SYNPROXY", "--sack-perm", "--timestamp", "--wscale", "7",
                       "--mss", "1440")  # fmt: skip
    for how, port in ports.items():
        if how != "closed":
            lab.serve(port)

    def behind(version: int, how: str, port: int) -> None:
        with contextlib.suppress(OSError), contextlib.closing(lab.dial(version, port)) as connection:
            lab.talk(connection, 2)
            ask(connection, how)
            if how == "UNREAD":
                connection.sendall(b"y" * 2000)
            lab.pause(2 * lab.plan.one_way + 0.05)
            connection.sendall(b"late\n")
            lab.pause(2 * lab.plan.one_way + 0.05)

    lab.together(partial(behind, version, how, port) for how, port in ports.items() for version in VERSIONS * 2)


def _own_address(lab: Lab) -> dict[int, str]:
    """Give the device an address of the server's network."""
    virtual = {version: lab.plan.virtual(version) for version in VERSIONS}
    lab.device.ip([f"addr add {virtual[4]}/32 dev lo", f"addr add {virtual[6]}/128 dev lo nodad"])
    lab.later(partial(lab.device.ip, [f"addr del {virtual[4]}/32 dev lo", f"addr del {virtual[6]}/128 dev lo"]))
    lab.setup.owners.update(dict.fromkeys(virtual.values(), lab.device.name))
    if lab.device_number == lab.plan.routers:  # the last router is on the server's network, neighbours ask for it
        lab.device.sysctl(ipv6__conf__all__proxy_ndp=1)
    return virtual


class Proxy:
    """A TCP proxy in user space on the device: it ends the client's connection and opens its own to the server."""

    def __init__(self, lab: Lab, address: dict[int, str], port: int, upstream: int) -> None:
        """Listen on the address; `upstream` is the server's port."""
        self._lab, self._upstream = lab, upstream
        for version in VERSIONS:
            listener = lab.device.socket(FAMILY[version], socket.SOCK_STREAM)
            listener.bind((address[version], port))
            listener.listen(32)
            lab.later(listener.close)
            threading.Thread(target=self._accept, args=(listener, version), daemon=True).start()

    def _accept(self, listener: socket.socket, version: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._carry, args=(connection, version), daemon=True).start()

    def _carry(self, outer: socket.socket, version: int) -> None:
        inner = self._lab.device.socket(FAMILY[version], socket.SOCK_STREAM)
        try:
            inner.connect((self._lab.address("server", version), self._upstream))
            while True:
                for one in select.select([outer, inner], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        outer.close()
                        inner.close()
                        return
                    (inner if one is outer else outer).sendall(data)
        except OSError:  # what fails on one side is aborted on the other
            close_abruptly(outer)
            close_abruptly(inner)


def _through(lab: Lab, address: dict[int, str], version: int, port: int, how: str) -> None:
    with contextlib.suppress(OSError), contextlib.closing(lab.dial(version, port, to=address[version])) as connection:
        lab.talk(connection, 2)
        ask(connection, how)
        lab.hesitate(0.05)
        lab.pause(2 * lab.plan.one_way + 0.05)
        if how != "GET 0":
            connection.sendall(b"late\n")
            lab.pause(2 * lab.plan.one_way + 0.05)


@scenario("reverse-proxy")
def reverse_proxy(lab: Lab) -> None:
    """A proxy in user space owns the address; resets behind it make it reset its client, closed ports are its own."""
    address = _own_address(lab)
    inside = lab.port(server="behind_proxy_linger0", device="proxy_abort")
    outside = lab.port(device="proxy_abort")
    dead = lab.port(device="proxy_abort_upstream_closed")
    lab.serve(inside)
    Proxy(lab, address, outside, inside)
    Proxy(lab, address, dead, lab.port(server="behind_proxy_closed_port"))
    closed = lab.port(device="proxy_closed_port")
    tasks = [partial(_through, lab, address, v, outside, how) for v in VERSIONS * 2 for how in ("ABORT", "CLOSE")]
    tasks += [partial(_through, lab, address, v, port, "GET 0") for v in VERSIONS for port in (dead, closed)]
    lab.together(tasks)


@scenario("haproxy")
def haproxy(lab: Lab) -> None:
    """HAProxy (mode tcp) owns the address in front of the server."""
    address = _own_address(lab)
    inside = lab.port(server="behind_haproxy_linger0", device="haproxy_abort")
    outside = lab.port(device="haproxy_abort")
    lab.serve(inside)
    settings = Path("/run") / f"haproxy-{outside}.cfg"
    lines = ["defaults", " mode tcp", " timeout connect 2s", " timeout client 5s", " timeout server 5s"]
    for version in VERSIONS:
        lines += [f"listen v{version}", f" bind {address[version]}:{outside}",
                  f" server one {lab.address('server', version)}:{inside}"]  # fmt: skip
    settings.write_text("\n".join(lines) + "\n")
    lab.program(lab.device, "haproxy", "-db", "-f", str(settings))
    for _ in range(100):
        if lab.device.run("ss", "-Hltn", f"sport = :{outside}").count("LISTEN") >= 2:
            break
        lab.pause(0.02)
    lab.together(partial(_through, lab, address, v, outside, how) for v in VERSIONS * 2 for how in ("ABORT", "CLOSE"))


def _translate(lab: Lab, address: dict[int, str], port: int) -> None:
    """Have the device forward a port of its address to the server."""
    for version, family in ((4, "ip"), (6, "ip6")):
        lab.setup.aliases[address[version]] = lab.address("server", version)
        lab.device.nft(f"""table {family} lab {{ chain before {{ type nat hook prerouting priority -100
  {family} daddr {address[version]} tcp dport {port} dnat to {lab.address("server", version)}
 }}
}}
""")


@scenario("dnat", place="server")
def dnat(lab: Lab) -> None:
    """The router in front of the server forwards one port of its address to it and refuses the others itself."""
    address = _own_address(lab)
    forwarded = lab.port(server="behind_dnat_linger0")
    lab.serve(forwarded)
    _translate(lab, address, forwarded)
    closed = [lab.port(device="dnat_router_closed_port") for _ in range(2)]
    tasks = [partial(_through, lab, address, v, forwarded, how) for v in VERSIONS * 2 for how in ("ABORT", "CLOSE")]
    tasks += [partial(_through, lab, address, v, port, "GET 0") for v in VERSIONS * 2 for port in closed]
    lab.together(tasks)
    for version in VERSIONS:
        if lab.rng.random() < 0.5:
            lab.client.run("ping", f"-{version}", "-n", "-c2", "-i0.05", "-W1", address[version], check=False)


@scenario("dnat-expires", place="middle")
def dnat_expires(lab: Lab) -> None:
    """The device that translates forgets idle connections: the server's next data bear its own address.

    The client's kernel refuses them. Other ports of the address the device refuses itself.
    """
    address = _own_address(lab)
    forwarded = lab.port(client="refuses_undialled_address", server="behind_dnat_after_expiry")
    closed = [lab.port(device="dnat_router_closed_port") for _ in range(2)]
    lab.serve(forwarded)
    _translate(lab, address, forwarded)
    lab.device.sysctl(netfilter__nf_conntrack_tcp_timeout_established=1)
    lab.later(partial(lab.device.sysctl, netfilter__nf_conntrack_tcp_timeout_established=432_000))

    def fall_idle(version: int) -> None:
        with contextlib.closing(lab.dial(version, forwarded, to=address[version])) as connection:
            lab.talk(connection, 1)
            ask(connection, "LATER 2500 600")
            lab.pause(2.8 + 2 * lab.plan.one_way)

    lab.together(partial(fall_idle, version) for version in VERSIONS * 2)
    lab.together(partial(_through, lab, address, v, port, "GET 0") for v in VERSIONS for port in closed)
