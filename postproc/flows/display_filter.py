"""Display filters that select in Wireshark the flow that a row is about.

The plugin does the same in Lua: flow_filter in generator/templates/ui/addresses.lua.j2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heuristics.protocol.display_filters import ADDRESSES_FORMAT, FLOW_FORMAT

if TYPE_CHECKING:
    from postproc.flows.state import Flow


def flow_filter(flow: Flow) -> str:
    """The filter for a flow. Frame numbers tell incarnations of the same ports apart."""
    ends = ends_filter(*flow.low, *flow.high)
    if flow.incarnation == 0 and not flow.reused:
        return ends
    return f"{ends} && frame.number >= {flow.first_frame} && frame.number <= {flow.last_frame}"


def ends_filter(address: str, port: int, other_address: str, other_port: int, protocol: str = "tcp") -> str:
    """The filter for all flows between these ends."""
    ip = ip_layer(address)
    return FLOW_FORMAT % (ip, address, ip, other_address, protocol, port, protocol, other_port)


def addresses_filter(address: str, other_address: str) -> str:
    """The filter for all packets between these addresses."""
    ip = ip_layer(address)
    return ADDRESSES_FORMAT % (ip, address, ip, other_address)


def ip_layer(address: str) -> str:
    """Wireshark's name of the layer that has such an address."""
    return "ipv6" if ":" in address else "ip"
