"""Idle timeouts that devices and kernels are known to have, in seconds, and whose defaults they are.

Sources: Microsoft, "Load Balancer TCP Reset and Idle Timeout"; F5 K7606 (protocol profiles); AWS, "Introducing NLB TCP
configurable idle timeout"; Juniper, session timeout of junos-defaults; Fortinet, default session-ttl; Cisco, Secure
Firewall timeouts; RFC 9293 section 3.8.4 and tcp(7), keep-alive. 900 s is a usual choice of operators.
"""

from __future__ import annotations

KNOWN_TIMEOUTS: tuple[tuple[int, str], ...] = (
    (240, "240 s, as of Azure load balancers"),
    (300, "300 s, as of F5 BIG-IP"),
    (350, "350 s, as of AWS load balancers and NAT gateways"),
    (900, "900 s, a usual choice"),
    (1800, "1800 s, as of Juniper SRX"),
    (3600, "3600 s, as of FortiGate and Cisco firewalls"),
    (7200, "7200 s, the first keep-alive of most hosts"),
)
NO_TIMEOUT = "none"

# A silence is near a timeout if it differs by at most this share of it (percent), or by at most this many seconds.
NEAR_SHARE, NEAR_SECONDS = 2, 5


def known_timeout(silence_us: int | None) -> str:
    """The known timeout that a silence, in microseconds, is nearest to; NO_TIMEOUT if none is near."""
    for seconds, words in KNOWN_TIMEOUTS:
        near = max(NEAR_SECONDS * 100, NEAR_SHARE * seconds) * 10_000
        if silence_us is not None and abs(silence_us - seconds * 1_000_000) <= near:
            return words
    return NO_TIMEOUT
