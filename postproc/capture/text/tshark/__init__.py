"""What tshark prints, and what Wireshark exports.

`trees` reads `-T json`, `-T ek` and `-T pdml`, whose values have the names of fields; `details` reads the packet
details as text (-V), `rows` the packet list.
"""
