"""Situations between real kernels: each function makes one capture, taken at the side that its decorator names."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace

from ..annex import Annex
from ..conversation import ask, close_abruptly
from ..injectors import Injector, Observation, answer_to
from ..lab import TRIGGER, VERSIONS
from ..packets import ACK, FIN, PSH, RST, SYN, TCP, Packet, read_frame
from ..wire import tap
from . import FORGED, GENUINE, GENUINE_OR_UNCLEAR, Judgement
from .situation_lab import SituationLab, situation

FTP, TELNET, HTTP, HTTPS, POSTGRESQL, PROXY, CLOSED = 21, 23, 80, 443, 5432, 8080, 8443
SCANNER_PAUSE = 16.0  # seconds between the two steps of a scanner that keeps no state
NAT_TIMEOUT = 2  # seconds


@situation(
    "firewall-refuses",
    "client",
    device=1,
    nft_reject_syn=Judgement(FORGED, "hop limit 64, one hop away or less, where the server's own packets have 58"),
    closed_port=Judgement(GENUINE, "hop limit equals that of the server's other packets; one round trip"),
)
def firewall_refuses(lab: SituationLab) -> None:
    """nftables on the router next to the client rejects two ports in the server's name; the server refuses a third."""
    for port in (FTP, TELNET):
        lab.port(port, device="nft_reject_syn")
    lab.port(CLOSED, server="closed_port")
    for port in (FTP, HTTPS):
        lab.serve(port)
    lab.firewall(lab.device, "forward", [f"tcp dport {{ {FTP}, {TELNET} }} reject with tcp reset"])
    for version in VERSIONS:
        for _ in range(2):
            with contextlib.closing(lab.dial(version, HTTPS)) as connection:
                lab.talk(connection, 1)
        for port in (FTP, TELNET, CLOSED):
            lab.knock(version, port)
            lab.pause(0.1)


@situation(
    "injector-answers-syn",
    "client",
    injector=Judgement(
        FORGED,
        "answers the SYN with the SYN's own IP ID and window and with reserved bits set; hop limit 62 where the host "
        "has 58; the SYN-ACK comes after it",
    ),
    abort=Judgement(GENUINE_OR_UNCLEAR, "hop limit equals the host's: the server's own abort and what follows it"),
)
def injector_answers_syn(lab: SituationLab) -> None:
    """A forger answers the SYN; the client takes no notice, as the reset acknowledges too little; the server aborts."""

    def manner(observed: Observation, _: object) -> list[Packet]:
        syn = observed.offender
        return [answer_to(observed, ip_id=syn.ip_id, window=syn.window, reserved=0b111, acknowledgment=syn.sequence)]

    port = lab.port(HTTPS, device="injector", server="abort")
    lab.serve(port)
    Injector(lab, [port], manner, offends=lambda packet: packet.flags == SYN)
    with contextlib.closing(lab.dial(4, port)) as connection:
        ask(connection, "IDLE 60 ABORT")
        lab.pause(lab.plan.one_way + 0.06)
        connection.sendall(b"y" * 150)  # crosses the abort, and is answered by a second reset
        lab.pause(4 * lab.plan.one_way)


@situation(
    "device-resets-after-abort",
    "server",
    device=2,
    hop_limits={"client": 128, "r2": 255},
    abort=Judgement(GENUINE, "the client's abort: hop limit 122 like its data"),
    in_path_device=Judgement(
        FORGED, "hop limit 251 where the client has 122, foreign IP IDs, one for each segment in flight"
    ),
)
def device_resets_after_abort(lab: SituationLab) -> None:
    """The client aborts; a device drops the server's segments that come after it, and answers them as the client."""
    ids = iter(range(0xB503, 0xFFFF, 3))
    aborted = False

    def offends(packet: Packet) -> bool:
        nonlocal aborted
        aborted = aborted or bool(packet.flags & RST)
        return aborted and bool(packet.payload)

    def manner(observed: Observation, _: object) -> list[Packet]:
        return [answer_to(observed, ip_id=next(ids))]

    port = lab.port(PROXY, device="in_path_device", client="abort")
    server = lab.serve(port)
    lab.device.nft(f"""table ip lab {{
 set over {{ type inet_service; flags dynamic; }}
 chain forward {{ type filter hook forward priority 0
  tcp dport {port} tcp flags & rst == rst add @over {{ tcp sport }}
  tcp sport {port} tcp dport @over drop
 }}
}}
""")
    Injector(lab, [port], manner, offends=offends, once=False)
    connection = lab.dial(4, port)
    lab.talk(connection, 2)
    answering = server.connections[0]
    answering.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number in range(12):  # small segments: some are before the device when the abort passes it
        if number == 8:
            close_abruptly(connection)
        with contextlib.suppress(OSError):
            answering.sendall(b"x" * 600)
        lab.pause(0.004)


@situation(
    "service-with-own-hop-limit",
    "client",
    data_after_close=Judgement(
        GENUINE_OR_UNCLEAR, "58 = 64 - 6 and 122 = 128 - 6: the same distance from two settings of one host"
    ),
    close_unread=Judgement(GENUINE, "the abort of the service's socket carries the service's hop limit"),
)
def service_with_own_hop_limit(lab: SituationLab) -> None:
    """A service sends with 128, its kernel with 64: data after the close, and a close with unread data."""
    closing, unread = lab.port(HTTPS, server="data_after_close"), lab.port(HTTP, server="close_unread")
    for port, end in ((closing, "CLOSE"), (unread, "UNREAD")):
        lab.serve(port, hop_limit=128)
        with contextlib.closing(lab.dial(4, port)) as connection, contextlib.suppress(OSError):
            lab.talk(connection, 2)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask(connection, end)
            if end == "CLOSE":
                lab.pause(2 * lab.plan.one_way + 0.05)
            for _ in range(2):
                connection.sendall(b"y" * 500)
            lab.pause(4 * lab.plan.one_way)


def _inject(lab: SituationLab, manner: Callable[[Observation, object], list[Packet]]) -> None:
    """A forger's answer comes before the server's; the client closes, and its kernel resets what comes then."""
    port = lab.port(HTTP, client="client_answer")
    lab.serve(port)
    Injector(lab, [port], manner)
    with contextlib.closing(lab.dial(4, port)) as connection:
        connection.sendall(b"GET 348 " + TRIGGER + b"\n")
        connection.recv(65536)
    lab.pause(4 * lab.plan.one_way)


@situation(
    "quantum-insert", "client", client_answer=Judgement(GENUINE, "the client's honest answers after injected data")
)
def quantum_insert(lab: SituationLab) -> None:
    """A forger sends an answer with hop limit 62, IP ID 1 and DF clear before the server's own (hop limit 58)."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nBANG!"
    form = {"flags": PSH | ACK, "ip_id": 1, "df": False, "window": 8192, "payload": page}
    _inject(lab, lambda observed, _: [answer_to(observed, **form)])


@situation(
    "injected-page-and-fin",
    "client",
    client_answer=Judgement(GENUINE, "the client's honest answer to the server's own data after the injected end"),
)
def injected_page_and_fin(lab: SituationLab) -> None:
    """A forger sends a page and FIN with the request's own IP ID and window, hop limit 22; then the server answers."""
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><body>not found</body></html>"

    def manner(observed: Observation, _: object) -> list[Packet]:
        request = observed.offender
        form = {"flags": PSH | ACK | FIN, "ip_id": request.ip_id, "window": request.window, "hop_limit": 24}
        return [answer_to(observed, payload=page, **form)]

    _inject(lab, manner)


@situation(
    "scanner-data-after-reset",
    "server",
    scanner_kernel=Judgement(
        GENUINE_OR_UNCLEAR,
        "a scanner that keeps no state sends data 16 s after its own kernel's reset; the hop limit is the same",
    ),
    no_socket=Judgement(GENUINE, "the server's honest answer to data of a connection that is over"),
)
def scanner_data_after_reset(lab: SituationLab) -> None:
    """A scanner sends raw packets; its kernel resets the SYN-ACK; later the scanner sends a request all the same."""
    port = lab.port(HTTP, client="scanner_kernel", server="no_socket")
    lab.serve(port)
    addresses = lab.address("client", 4), lab.address("server", 4)
    syn = Packet(4, *addresses, 64, TCP, 0, False, 0, 0, 60293, port, 0x7F3C21D0, 0, SYN, window=65535)
    with contextlib.closing(tap(lab.client, "server", outgoing=False)) as arriving:
        lab.emit(lab.client, "server", syn)
        answer = None
        while answer is None or answer.flags != SYN | ACK:
            answer = read_frame(arriving.recv(65536))
    lab.pause(SCANNER_PAUSE)
    request = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
    numbers = {"sequence": syn.sequence + 1, "acknowledgment": answer.sequence + 1}
    lab.emit(lab.client, "server", replace(syn, **numbers, flags=ACK, window=64240, payload=request))
    lab.pause(4 * lab.plan.one_way)


@situation("client-aborts-ipv6", "client", abort=Judgement(GENUINE, "the abort of the captured host itself, IPv6"))
def client_aborts_ipv6(lab: SituationLab) -> None:
    """The client aborts a connection over IPv6 with data unread."""
    port = lab.port(HTTPS, client="abort")
    lab.serve(port)
    connection = lab.dial(6, port)
    lab.talk(connection, 2)
    close_abruptly(connection)


@situation(
    "ordinary-teardown",
    "client",
    closed_early=Judgement(GENUINE, "the client has closed, its kernel answers what still comes"),
    abort=Judgement(GENUINE, "the server's abort: its hop limit, its timestamps"),
)
def ordinary_teardown(lab: SituationLab) -> None:
    """The client closes before the answer has come; on another connection the server aborts."""
    early = lab.port(POSTGRESQL, client="closed_early")
    aborting = lab.port(HTTPS, server="abort")
    for port in (early, aborting):
        lab.serve(port)
    with contextlib.closing(lab.dial(4, early)) as connection:
        lab.talk(connection, 3)
        ask(connection, "LATER 60 1000")
        lab.pause(0.02)
    lab.pause(0.06 + 4 * lab.plan.one_way)
    with contextlib.closing(lab.dial(4, aborting)) as connection:
        lab.talk(connection, 3)
        ask(connection, "ABORT")
        lab.pause(4 * lab.plan.one_way)


@situation(
    "nat-forgets-connections",
    "client",
    device=1,
    hop_limits={"r1": 255},
    nat_router=Judgement(
        FORGED, "hop limit 255 where the servers have 58, 58 and 57; one run of IP IDs across all of them"
    ),
    abort=Judgement(GENUINE, "the client's own abort"),
)
def nat_forgets_connections(lab: SituationLab) -> None:
    """A NAT router (nftables) forgets idle connections and rejects what comes of them, in the names of the servers."""
    lab.device.nft(f"""table ip lab {{
 chain after {{ type nat hook postrouting priority 100
  oifname "server" masquerade
 }}
 chain forward {{ type filter hook forward priority 0
  ct state invalid reject with tcp reset
 }}
 chain output {{ type filter hook output priority 0
  ip id set numgen inc mod 256 map {{ {", ".join(f"{n} : {0x9120 + n}" for n in range(256))} }}
 }}
}}
""")
    loose, timeout = "netfilter__nf_conntrack_tcp_loose", "netfilter__nf_conntrack_tcp_timeout_established"
    lab.device.sysctl(**{loose: 0, timeout: NAT_TIMEOUT})
    lab.setup.aliases[lab.topology.ports[lab.device.name, "server"].addresses[4]] = lab.address("client", 4)
    idle, aborting = lab.port(HTTPS, device="nat_router"), lab.port(HTTP, client="abort")
    lab.serve(idle)
    lab.serve(aborting)
    targets = [lab.address("server", 4)]
    for host in Annex(lab).row(2):
        host.node.sysctl(ipv4__ip_default_ttl=64)
        lab.serve(idle, host.node)
        targets.append(host.addresses[4][0])
    connections = [lab.dial(4, idle, to=target) for target in targets]
    for connection in connections:
        lab.talk(connection, 2)
    other = lab.dial(4, aborting)
    lab.talk(other, 1)
    close_abruptly(other)
    lab.pause(NAT_TIMEOUT + 1.5)
    for connection in connections:
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.sendall(b"GET 10\n")
            lab.pause(0.1)


@situation(
    "backscatter",
    "client",
    closed_port=Judgement(GENUINE_OR_UNCLEAR, "the server refuses SYNs that somebody else sent in the client's name"),
    no_connection=Judgement(
        GENUINE_OR_UNCLEAR,
        "the client's kernel knows nothing of the connection that the SYN-ACK answers; the client shows nothing else",
    ),
)
def backscatter(lab: SituationLab) -> None:
    """A router in the middle sends SYNs in the client's name; the server answers the client."""
    opened = lab.port(HTTP, client="no_connection")
    closed = lab.port(CLOSED, server="closed_port")
    lab.serve(opened)
    addresses = lab.address("client", 4), lab.address("server", 4)
    for number in range(4):
        for port in (opened, closed):
            fields = (20_000 + 7 * number, port, 0x0A090807 + 1000 * number, 0, SYN)
            lab.emit(lab.device, "server", Packet(4, *addresses, 250, TCP, 256, False, 0, 0, *fields, window=512))
            lab.pause(0.02)
    lab.pause(4 * lab.plan.one_way)
