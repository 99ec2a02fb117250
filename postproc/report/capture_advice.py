"""What to capture next to be surer, from what the capture did not show."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from heuristics.language.expressions import Test, parse, to_python
from heuristics.language.template import Template, parse_template
from heuristics.observables.vocabulary import Value
from heuristics.rulebook.schema import CONCLUDED

_ONE_HOP = (
    "Let it happen several times, an hour apart: a route that changed shows in the hop limits of all packets of the "
    "host, a device next to the host only in those of its resets."
)

# Condition and advice, in the rulebook's language: a condition that reads a missing observable does not hold.
_ADVICE = (
    (
        "baseline_source == 'none'",
        "Capture longer, and ping the named sender or open other connections to it meanwhile: the capture holds no "
        "other packet of it to compare with.",
    ),
    (
        "baseline_source == 'host' and host_packets < 3",
        "Capture longer, and ping the named sender several times meanwhile: the capture holds hardly another packet of "
        "it to compare with ({host_packets}).",
    ),
    (
        "baseline_source == 'host' and host_share < 90",
        "Capture a connection to the same port that works: the host's packets come from {host_values} different "
        "distances, so only those of the same service compare.",
    ),
    (
        "not known(response_us)",
        "Capture where both directions pass: nothing of the other side is here before the reset, so what provoked it, "
        "and how soon it came, cannot be seen.",
    ),
    (
        "not known(sender_is_initiator)",
        "Begin the capture before the connection begins: its handshake is missing here.",
    ),
    (
        "not known(rtt_us) and known(sender_is_initiator)",
        "Open a connection to a port of the host that accepts it, in the same capture: without a handshake the round "
        "trip to the host is unknown, and with it whether the reset came too soon.",
    ),
    (
        "not rtt_confirmed",
        "Open a few more connections to the host in the same capture: the round trip of {rtt_us} us was measured only "
        "once.",
    ),
    (
        "distance <= 2 and baseline_distance == distance",
        "Capture further away from the sender, with three routers or more between: from here, the sender and a device "
        "in front of it show the same hop limit.",
    ),
    ("hop_gap == 1", _ONE_HOP),
    ("flow_packets == 0 and host_gap == 1", _ONE_HOP),
    (
        "origin == 'middlebox' and distance < baseline_distance",
        "Capture at the same time behind the next routers and firewalls on the way to the named sender: the device "
        "that sent the reset lies between the last place where it passes and the first where it does not.",
    ),
    (
        "hop_limit >= 0",
        "Capture at the named sender itself at the same time, and compare: a reset that only bears its name is not "
        "among the packets that leave it.",
    ),
)


def advise(observation: Mapping[str, Value]) -> tuple[str, ...]:
    """What to do next time, most useful first, each sentence once. `observation` holds verdict and origin too."""
    sentences = (say.render(observation) for holds, say in _advice() if holds(observation))
    return tuple(dict.fromkeys(sentences))


@cache
def _advice() -> tuple[tuple[Test, Template], ...]:
    return tuple((to_python(parse(when, CONCLUDED)), parse_template(say, CONCLUDED)) for when, say in _ADVICE)
