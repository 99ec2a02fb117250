"""Constants of the protocols: tshark's fields, initial hop limits, ICMP and NetScaler codes, payloads of resets.

Both engines and the generator use them.
"""
