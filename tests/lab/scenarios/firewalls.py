"""Rejecting firewalls on a router: nftables and iptables, of the SYN and in the midst of a connection."""

from __future__ import annotations

from functools import partial

from ..conversation import ask
from ..lab import TRIGGER, VERSIONS, Lab
from . import scenario


@scenario("reject-syn", everywhere=True)
def reject_syn(lab: Lab) -> None:
    """A router rejects new connections with reset: by nftables and by iptables, to open and to closed ports."""
    nft = [lab.port(device="nft_reject_syn") for _ in range(2)]
    ipt = [lab.port(device="iptables_reject_syn") for _ in range(2)]
    open_port = lab.port(server="linger0")
    for port in (nft[0], ipt[0], open_port):
        lab.serve(port)
    lab.firewall(lab.device, "forward", [f"tcp dport {{ {nft[0]}, {nft[1]} }} reject with tcp reset"])
    for port in ipt:
        lab.iptables("-A", "FORWARD", "-p", "tcp", "--dport", str(port), "-j", "REJECT", "--reject-with", "tcp-reset")
    ports = [*nft, *ipt]
    lab.together(
        partial(lab.knock, version, port, tos=lab.rng.choice((0, 0, 0x48)))
        for port in ports
        for version in VERSIONS * 2
    )
    if lab.rng.random() < 0.6:  # the same host, genuinely
        lab.knock(4, lab.port(server="closed_port"))
        lab.knock(6, lab.port(server="closed_port"))


@scenario("reject-midstream", everywhere=True)
def reject_midstream(lab: Lab) -> None:
    """A router rejects established connections: a string in the client's data, or everything of a port at once."""
    ports = {
        "string": lab.port(device="iptables_string_reject"),
        "to-server": lab.port(device="nft_reject_established"),
        "both": lab.port(device="nft_reject_established_both"),
    }
    for port in ports.values():
        lab.serve(port)
    lab.iptables("-A", "FORWARD", "-p", "tcp", "--dport", str(ports["string"]), "-m", "string", "--algo", "bm",
                 "--string", TRIGGER.decode(), "-j", "REJECT", "--reject-with", "tcp-reset")  # fmt: skip
    talking = {name: [lab.dial(version, port) for version in VERSIONS * 2] for name, port in ports.items()}
    for connections in talking.values():
        for connection in connections:
            lab.talk(connection, 1 + lab.rng.randrange(2))
    lab.together(partial(lab.send_trigger, connection) for connection in talking["string"])
    both = ports["both"]
    for connection in talking["both"][::2]:  # here the server speaks first, and is refused
        ask(connection, f"LATER {int(2000 * lab.plan.one_way) + 150} 600")
    lab.pause(lab.plan.one_way + 0.02)
    lab.firewall(lab.device, "forward", [f"tcp dport {ports['to-server']} reject with tcp reset",
                                         f"tcp dport {both} reject with tcp reset",
                                         f"tcp sport {both} reject with tcp reset"])  # fmt: skip
    for connection in talking["both"][::2]:
        connection.sendall(b"IDLE 60 ABORT\n")
    lab.together(partial(lab.send_trigger, c) for c in (*talking["to-server"], *talking["both"][1::2]))
    lab.pause(2 * lab.plan.one_way + 0.3)
    lab.unblock(lab.device)
    lab.hesitate()
    for connections in talking.values():
        for connection in connections:
            connection.close()


@scenario("drop-and-reset")
def drop_and_reset(lab: Lab) -> None:
    """A router that answers for a dead server: its reject comes where the server would never have spoken."""
    port = lab.port(device="nft_reject_of_silent_server")
    lab.firewall(lab.server, "input", [f"tcp dport {port} drop"])
    lab.firewall(
        lab.device, "forward", [f"tcp dport {port} limit rate over 2/second burst 1 packets reject with tcp reset"]
    )
    lab.together(partial(lab.knock, version, port, timeout=2) for version in VERSIONS * 2)
