"""Pseudonyms: the same key gives the same pseudonym for the same address, in every capture.

IP addresses keep their prefixes (two addresses that share n bits have pseudonyms that share n bits), by Crypto-PAn (Xu,
Fan, Ammar and Moon, "Prefix-Preserving IP Address Anonymization", ICNP 2002). A private address stays a private one of
the same range, since verdicts ask for that; so do the other ranges with a meaning of their own.
"""

from __future__ import annotations

import hashlib
import ipaddress
from functools import lru_cache

from yacryptopan import CryptoPAn

from heuristics.protocol.private_networks import PRIVATE_NETWORKS

# Special ranges of the registries of IANA, besides the private ones: unspecified, multicast and reserved; mapped IPv4,
# NAT64, Teredo, 6to4, global unicast, multicast.
_SPECIAL_NETWORKS = (
    *("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "2001::/32", "2002::/16", "2000::/3", "ff00::/8"),
)
_KEPT = tuple(
    (network.version, int(network.network_address), network.prefixlen, network.max_prefixlen)
    for network in map(ipaddress.ip_network, (*PRIVATE_NETWORKS, *_SPECIAL_NETWORKS))
)
_GROUP_OF_ADDRESS = ipaddress.ip_network("ff02::1:ff00:0/104")  # its last 24 bits are those of an address (RFC 4291)
_GROUP_BIT, _LOCAL_BIT = 0x01, 0x02  # in the first byte of a MAC address (IEEE 802)
_ADDRESSES_AT_ONCE = 1 << 18  # pseudonyms that are kept: making one takes up to a millisecond
_FINGERPRINT = 20  # bytes of a payload's fingerprint


class Pseudonyms:
    """The pseudonyms of one secret key, which may have any length."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, digest_size=32, person=b"rstorigin").digest()
        self._addresses = CryptoPAn(self._key)
        self.address = lru_cache(_ADDRESSES_AT_ONCE)(self._address)
        self.mac = lru_cache(_ADDRESSES_AT_ONCE)(self._mac)

    def _address(self, address: bytes) -> bytes:
        """The pseudonym of an address of 4 or 16 bytes."""
        number, bits = int.from_bytes(address, "big"), len(address) * 8
        version = 4 if bits == 32 else 6
        if _stands_for_itself(version, number, address):
            return address
        changed = number ^ int(self._addresses.anonymize_bin(number, version))
        kept = max(_bits_kept(number, *network[1:]) for network in _KEPT if network[0] == version)
        return (number ^ (changed & ((1 << (bits - kept)) - 1))).to_bytes(len(address), "big")

    def _mac(self, mac: bytes) -> bytes:
        """The pseudonym of a MAC address: locally administered, so that it is no vendor's. Groups are kept.

        The group addresses that end with bits of an IP address (RFC 1112, RFC 2464) keep their beginning only.
        """
        if not any(mac):
            return mac
        if mac[0] & _GROUP_BIT:
            return mac[:3] + self._digest(mac)[:3] if mac[:3] in (b"\x33\x33\xff", b"\x01\x00\x5e") else mac
        return bytes([_LOCAL_BIT]) + self._digest(mac)[: len(mac) - 1]

    def text(self, payload: bytes) -> bytes:
        """Hexadecimal digits in place of a payload, as long as it: the same for the same payload."""
        digits = self._digest(payload).hex().encode()
        return (digits * (len(payload) // len(digits) + 1))[: len(payload)]

    def binary(self, payload: bytes) -> bytes:
        """Bytes that are no text in place of a payload that is none."""
        return bytes(digit | 0x80 for digit in self.text(payload))

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=_FINGERPRINT, key=self._key).digest()


def _stands_for_itself(version: int, number: int, address: bytes) -> bool:
    """Whether an address names no host: unspecified, broadcast, loopback of IPv6, or a group."""
    if version == 4:
        return number in (0, 0xFFFFFFFF) or address[0] >> 4 == 14
    if address[0] == 0xFF:
        return number >> 24 != int(_GROUP_OF_ADDRESS.network_address) >> 24
    return number <= 1


def _bits_kept(number: int, network: int, prefix: int, bits: int) -> int:
    """How many leading bits must stay so that exactly the addresses of `network` have pseudonyms in it.

    These are the bits up to the first one by which `number` differs from the network.
    """
    common = bits - (number ^ network).bit_length()
    return min(common + 1, prefix)
