"""Constants of the protocols: tshark's field names, ICMP codes, NetScaler codes, payloads of resets.

Both engines and the generator use them.
"""
