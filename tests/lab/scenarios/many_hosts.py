"""Many hosts and one device, or many hosts and none: what only shows when the senders of a capture are compared."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial

from .. import injectors
from ..annex import Annex, Host
from ..lab import VERSIONS, Lab
from . import scenario

HOSTS = 9
ID_RUN = 2048  # how long the counter of a host with one counter runs before it starts anew


def _knock_at(lab: Lab, hosts: Sequence[Host], ports: Sequence[int], tries: int = 1) -> None:
    """Try every address of every host, in random order; `ports` are taken in turn."""
    targets = [(version, address) for host in hosts for version in VERSIONS for address in host.addresses[version]]
    lab.rng.shuffle(targets)
    lab.together(
        (
            partial(lab.knock, version, ports[n % len(ports)], to=address)
            for n, (version, address) in enumerate(targets * tries)
        ),
        spread=0.6,
    )


def _show_some_hosts(lab: Lab, hosts: Sequence[Host]) -> None:
    """Some hosts answer pings, some talk on another port, some show nothing else: one of three each."""
    port = lab.port()
    for host in hosts:
        how = lab.rng.choice(("ping", "talk", "nothing"))
        if how == "talk":
            lab.serve(port, host.node)
        for version in VERSIONS if how != "nothing" else ():
            address = lab.rng.choice(host.addresses[version])
            if how == "ping":
                lab.client.run("ping", f"-{version}", "-n", "-c3", "-i0.05", "-W1", address, check=False)
                continue
            with contextlib.suppress(OSError), contextlib.closing(lab.dial(version, port, to=address)) as connection:
                lab.talk(connection, 2)


@scenario("refused-for-many", everywhere=True)
def refused_for_many(lab: Lab) -> None:
    """A router refuses in the name of many hosts, each at another distance; some show nothing else, some pings."""
    hosts = Annex(lab).row(HOSTS)
    ports = [lab.port(device="nft_reject_for_many") for _ in range(3)]
    lab.serve(ports[0], hosts[0].node)
    before = lab.rng.random() < 0.5
    if before:
        _show_some_hosts(lab, hosts)
    lab.firewall(lab.device, "forward", [f"tcp dport {{ {', '.join(map(str, ports))} }} reject with tcp reset"])
    _knock_at(lab, hosts, ports)
    if not before:
        _show_some_hosts(lab, hosts)


@scenario("many-closed-in-a-row")
def many_closed_in_a_row(lab: Lab) -> None:
    """Many hosts, each at another distance, refuse for themselves."""
    hosts = Annex(lab).row(HOSTS)
    _show_some_hosts(lab, hosts)
    _knock_at(lab, hosts, [lab.port(server="closed_port_of_many_distances") for _ in range(3)])


@scenario("many-closed-one-network")
def many_closed_one_network(lab: Lab) -> None:
    """Many hosts of one network, all equally far, refuse for themselves; some show nothing else."""
    hosts = Annex(lab).side_by_side(HOSTS)
    _show_some_hosts(lab, hosts)
    _knock_at(lab, hosts, [lab.port(server="closed_port_of_one_network") for _ in range(3)])


@scenario("many-addresses")
def many_addresses(lab: Lab) -> None:
    """One host with many addresses refuses and aborts; sometimes all its packets take IP IDs from one counter."""
    hosts = Annex(lab).side_by_side(1, addresses=8)
    one_counter = lab.rng.random() < 0.7
    name = "one_counter" if one_counter else "many_addresses"
    if one_counter:
        _count_ids(lab, hosts[0])
    closed = [lab.port(server=f"closed_port_{name}") for _ in range(2)]
    port = lab.port(server=f"linger0_{name}")
    lab.serve(port, hosts[0].node)
    _knock_at(lab, hosts, closed, tries=2)
    lab.together(
        partial(_abort_at, lab, version, port, address)
        for version in VERSIONS
        for address in hosts[0].addresses[version][::2]
    )


def _count_ids(lab: Lab, host: Host) -> None:
    """Have a host number all its IPv4 packets from one counter, as many stacks other than Linux do (RFC 6864)."""
    first = lab.rng.randrange(1, 60_000)
    run = ", ".join(f"{n} : {first + n}" for n in range(ID_RUN))
    host.node.nft(f"""table ip lab {{ chain output {{ type filter hook output priority 0
  ip id set numgen inc mod {ID_RUN} map {{ {run} }}
 }}
}}
""")
    lab.remarks.append(f"{host.node.name}: one counter for all IP IDs")


def _abort_at(lab: Lab, version: int, port: int, address: str) -> None:
    with contextlib.suppress(OSError), contextlib.closing(lab.dial(version, port, to=address)) as connection:
        lab.talk(connection, 2)
        connection.sendall(b"ABORT\n")
        lab.pause(2 * lab.plan.one_way + 0.05)


@scenario("counting-injector")
def counting_injector(lab: Lab) -> None:
    """One device resets connections to many servers; all its resets take their IP IDs from one counter."""
    hosts = Annex(lab).row(HOSTS)
    port = lab.port(device="one_counter_injector")
    injectors.Injector(lab, [port], injectors.Counting(lab.rng))

    def talk_and_trigger(version: int, host: Host) -> None:
        with contextlib.closing(lab.dial(version, port, to=host.addresses[version][0])) as connection:
            lab.talk(connection, lab.rng.randint(0, 2))
            lab.send_trigger(connection)

    for host in hosts:
        lab.serve(port, host.node)
    lab.together((partial(talk_and_trigger, v, host) for host in hosts for v in VERSIONS), spread=0.6)
