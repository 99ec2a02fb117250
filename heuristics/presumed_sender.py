"""What both engines' summaries say of presumed senders: who sent resets, not the hosts that they name."""

from __future__ import annotations

from enum import StrEnum

MEASURED = "nearer"  # the [[where]] whose distances the hop limits measure
MANY_DISTANCES = 4  # from so many on, one known form has made-up hop limits rather than so many places

WELL_KNOWN = 1023  # the highest port that RFC 6335 keeps for services of the system

TITLE = "Who sent them"
COLUMNS = ("sent from", "device", "resets", "names", "clients", "ports", "first", "last", "verdicts")
FRAMES_FILTERED = 1000  # the most frames that one display filter of a menu names
VALUES_SHOWN = 4  # hop limits, ports or names in one cell


class Who(StrEnum):
    """What kind of sender it is; in this order, summaries show them."""

    BETWEEN = "in between"
    FRONT_END = "front-end"
    UNKNOWN = "unknown"
    HOST = "host"


IN_OWN_NAME = (Who.UNKNOWN, Who.HOST)  # of these, menus show the resets in one name together

# Where each kind is; one in between whose hop limit measures its distance is so many hops away instead.
PLACES = {
    Who.BETWEEN: "at an unknown distance",
    Who.FRONT_END: "a front-end",
    Who.UNKNOWN: "not known",
    Who.HOST: "the named hosts",
}
# The device, where none is known.
NO_DEVICE = {
    Who.BETWEEN: "not recognised",
    Who.FRONT_END: "not recognised",
    Who.UNKNOWN: "-",
    Who.HOST: "-",
}
