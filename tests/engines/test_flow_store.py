"""The plugin restores evicted flows, hosts and resets whole, and its verdicts do not depend on eviction."""

from __future__ import annotations

from pathlib import Path
from random import Random

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from support.flows_by_hand import CLIENT, SERVER, START, written
from support.parity import captures as every_capture
from support.parity import (
    compare,
    differences,
    export,
    listed,
    plugin_text,
    postproc_rows,
    run_plugin,
    system_wireshark,
)
from support.random_captures import NEVER, random_capture

from heuristics.rulebook.model import load

# Compares what is evicted with what would be restored, value by value.
CHECK = """
local function same(stored, found)
  if type(stored) ~= "table" then
    return stored == found
  end
  for index = 1, math.max(#stored, #(found or {})) do
    if stored[index] ~= (found or {})[index] then
      return false
    end
  end
  return true
end
local function check(name, before, after)
  for key, stored in pairs(before) do
    local found, links = after[key], { flow = true, side = true, peer = true, host = true, frame = true }
    if not links[key] and not same(stored, found) then
      error(string.format("%s: %s was %s and came back as %s", name, key, tostring(stored), tostring(found)))
    end
  end
end
"""

# A quota of one flow, so that all but the last few are evicted; and a check at each eviction.
CHANGES = {
    "quota = 256": "quota = 1",
    "MAX_QUOTA = 16384": "MAX_QUOTA = 1",
    "local begin_us = 0": CHECK + "local begin_us = 0",
    "evicted_flows[at][flow.key] = pack_flow(flow)\n": "evicted_flows[at][flow.key] = pack_flow(flow)\n"
    "local back = unpack_flow(flow.key, evicted_flows[at][flow.key])\n"
    'check("flow", flow, back) check("side", flow.side, back.side) check("peer", flow.peer, back.peer)\n',
    "evicted_hosts[src] = pack(HOST, host)\n": "evicted_hosts[src] = pack(HOST, host)\n"
    'check("host", host, unpack_host(evicted_hosts[src]))\n',
    "resets[packet.frame] = pack(RESET, reset)\n": "resets[packet.frame] = pack(RESET, reset)\n"
    'check("reset", reset, unpacked_reset(packet.frame))\n',
    "flow_store.restored = flow_store.restored + 1\n": "flow_store.restored = flow_store.restored + 1 "
    'io.stderr:write("restored\\n")\n',
}


def crowded() -> str:
    """The plugin with hardly any room, and checks at each eviction."""
    text = plugin_text(load())
    for usual, changed in CHANGES.items():
        assert text.count(usual) == 1, usual
        text = text.replace(usual, changed)
    return text


def restored(capture: Path) -> int:
    """How often the plugin restored a flow. Asserts that nothing was lost, and that it judges as postproc does."""
    run = run_plugin(capture, system_wireshark(), load(), text=crowded())
    assert run.errors == ()
    lines = run.stderr.splitlines()
    assert set(lines) <= {"restored"}
    found = differences(capture.name, run.rows, postproc_rows(export(capture, system_wireshark()), load()))
    assert not found, listed(found)
    return len(lines)


def test_nothing_is_lost_in_captures_we_have() -> None:
    assert sum(map(restored, every_capture()[::3])) > 500


def test_nothing_is_lost_in_random_captures(tmp_path: Path) -> None:
    total = 0
    for seed in range(6):
        capture = tmp_path / f"seed{seed}.pcap"
        capture.write_bytes(random_capture(Random(seed), 300, NEVER if seed % 2 else 3, NEVER))
        total += restored(capture)
    assert total > 200


def test_more_ports_and_macs_than_a_string_holds(tmp_path: Path) -> None:
    def frame(number: int, flags: str, mac: int) -> Packet:
        ends = {"src": SERVER, "dst": CLIENT} if flags != "S" else {"src": CLIENT, "dst": SERVER}
        ports = {"sport": 1000 + number, "dport": 50000} if flags != "S" else {"sport": 50000, "dport": 1000 + number}
        ether = Ether(src=f"02:00:00:00:01:{mac:02x}", dst="02:00:00:00:00:02")
        return ether / IP(**ends, ttl=60) / TCP(**ports, flags=flags, seq=7, ack=8)

    packets = [frame(number, flags, number) for number in range(150) for flags in ("S", "SA")]
    packets += [frame(number, "R", mac) for number, mac in ((3, 3), (140, 140), (141, 200), (200, 140))]
    for number, packet in enumerate(packets):
        packet.time = START + number / 1000
    capture = written(tmp_path / "a.pcap", packets)
    assert compare(capture, system_wireshark(), load()) == []
    rows = run_plugin(capture, system_wireshark(), load()).rows
    resets = [rows[frame] for frame in range(301, 305)]
    assert [row["observed.mac_new"] for row in resets] == ["no", "no", "yes", "no"]
    assert [row["observed.port_accepts"] for row in resets] == ["yes", "yes", "yes", "no"]


def test_options_of_a_segment_shorter_than_its_header_are_none(tmp_path: Path) -> None:
    def frame(flags: str, length: int | None, seq: int) -> Packet:
        tcp = TCP(sport=80, dport=50000, flags=flags, seq=seq, ack=9, options=[("Timestamp", (seq, 5))])
        return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=SERVER, dst=CLIENT, len=length) / tcp

    packets = [frame("A", None, 1), frame("A", 38, 2), frame("SR", 38, 3), frame("R", None, 4)]
    capture = written(tmp_path / "a.pcap", packets)
    assert compare(capture, system_wireshark(), load()) == []
    assert run_plugin(capture, system_wireshark(), load()).rows[4]["observed.ts_step"] == "3"
