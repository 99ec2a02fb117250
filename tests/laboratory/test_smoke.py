"""The laboratory itself: a few quick scenarios on a real path, where namespaces can be had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab.capture import read_pcap
from lab.lan import ATTACKER_MAC, SECOND_ROUTER_MAC
from lab.packets import read_frame
from lab.sandbox import why_not

PAGE = b"403 Forbidden"
ROOT = Path(__file__).parents[2]
SCENARIOS = (
    "closed-port",
    "reject-syn-middle",
    "hop-copying-in-path-client",
    "refused-for-many-client",
    "many-addresses",
    "link-attacker-server",
    "failover-client",
    "block-page-on-side",
    "desync-fake",
    "dnat-expires",
)


def namespaces() -> list[str]:
    """The network namespaces outside the laboratory."""
    folder = Path("/run/netns")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the captures of some scenarios."""
    if reason := why_not():
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("lab")
    before = namespaces()
    command = [
        sys.executable,
        "-m",
        "tests.lab",
        "--seed",
        "3",
        "--out",
        out,
        "--rewrapped",
        "1",
        "--scenario",
        *SCENARIOS,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert namespaces() == before
    return out


def labels(folder: Path, name: str) -> dict[str, object]:
    """A capture's labels."""
    return json.loads((folder / f"{name}.labels.json").read_text())


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("closed-port.client", "endpoint"),
        ("reject-syn-middle.client", "middlebox"),
        ("hop-copying-in-path-client.client", "middlebox"),
        ("refused-for-many-client.client", "middlebox"),
        ("many-addresses.client", "endpoint"),
        ("link-attacker-server.server", "middlebox"),
        ("failover-client.client", "endpoint"),
        ("block-page-on-side.client", "middlebox"),
    ],
)
def test_each_scenario_shows_what_it_is_for(captures: Path, name: str, origin: str) -> None:
    content = labels(captures, name)
    assert origin in {event["origin"] for event in content["events"] if event["direction"] == "in"}
    assert content["inconsistent"] == []


def test_both_sides_are_captured_and_the_rewrapped_ones_labelled(captures: Path) -> None:
    for path in captures.glob("*.pcap"):
        assert path.with_suffix(".labels.json").exists()
    names = {path.name.split("-")[0] for path in captures.glob("*.pcap")}
    assert {"closed", "reject", "mirrored", "vlan", "gre", "vxlan"} <= names


def test_a_device_speaks_for_many_hosts_and_hosts_for_themselves(captures: Path) -> None:
    refused = labels(captures, "refused-for-many-client.client")
    assert {event["node"] for event in refused["events"]} == {refused["device"]}
    assert len({event["src"] for event in refused["events"]}) == len(refused["other_hosts"]) == 18
    assert len(set(refused["other_hosts"].values())) == 9  # each host at another distance
    honest = labels(captures, "many-addresses.client")
    assert {event["origin"] for event in honest["events"]} == {"endpoint"}
    assert {event["src"] for event in honest["events"]} == honest["other_hosts"].keys()


def test_a_client_sends_fake_resets_itself(captures: Path) -> None:
    content = labels(captures, "desync-fake.client")
    fakes = [event for event in content["events"] if event["mechanism"] == "desync_fake"]
    assert len(fakes) == 6
    assert {(event["origin"], event["direction"]) for event in fakes} == {("endpoint", "out")}
    assert content["inconsistent"] == []


def test_a_device_that_forgets_its_translation_makes_the_client_refuse_and_answers_itself(captures: Path) -> None:
    content = labels(captures, "dnat-expires.client")
    sent = {(event["mechanism"], event["origin"], event["direction"]) for event in content["events"]}
    assert sent == {
        ("refuses_undialled_address", "endpoint", "out"),
        ("device_kernel_reply", "front-end", "in"),
        ("dnat_router_closed_port", "front-end", "in"),
    }
    assert content["inconsistent"] == []


def test_a_device_sends_its_page_before_its_reset(captures: Path) -> None:
    content = labels(captures, "block-page-on-side.client")
    packets = [read_frame(frame.data) for frame in read_pcap(captures / content["capture"])]
    pages = [(number, packet) for number, packet in enumerate(packets, 1) if packet and PAGE in packet.payload]
    forged = [event for event in content["events"] if event["origin"] == "middlebox"]
    assert forged
    for event in forged:
        before = {packet.target_port for number, packet in pages if number < event["frame"]}
        assert event["dport"] in before


def test_an_attacker_on_the_link_has_a_mac_of_its_own(captures: Path) -> None:
    content = labels(captures, "link-attacker-server.server")
    frames = read_pcap(captures / content["capture"])
    forged = {frames[event["frame"] - 1].data[6:12] for event in content["events"] if event["origin"] == "middlebox"}
    assert {event["node"] for event in content["events"] if event["origin"] == "middlebox"} == {"attacker"}
    assert forged == {bytes.fromhex(ATTACKER_MAC.replace(":", ""))}


def test_after_a_failover_honest_resets_come_by_another_router(captures: Path) -> None:
    content = labels(captures, "failover-client.client")
    frames = read_pcap(captures / content["capture"])
    sources = {frames[event["frame"] - 1].data[6:12] for event in content["events"] if event["direction"] == "in"}
    assert sources == {bytes.fromhex(SECOND_ROUTER_MAC.replace(":", ""))}
