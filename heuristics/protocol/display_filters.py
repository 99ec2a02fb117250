"""Display filters that select a flow in Wireshark, as printf formats: Python and Lua read them alike."""

from __future__ import annotations

# `ip` or `ipv6` before each address.
ADDRESSES_FORMAT = "%s.addr == %s && %s.addr == %s"
# `tcp` or `udp` before each port.
FLOW_FORMAT = f"{ADDRESSES_FORMAT} && %s.port == %d && %s.port == %d"
