"""All scenarios by name. Each is a function of a `Lab`; the decorator names it and says where its device may stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..lab import Lab
from ..topology import Plan

PLACES = ("client", "middle", "server")


@dataclass(frozen=True)
class Scenario:
    """A scenario. `place`: where its device stands; None: where the seed says."""

    name: str
    about: str
    run: Callable[[Lab], None]
    place: str | None = None

    def device(self, plan: Plan) -> int:
        """The number of the router that plays the device."""
        places = {"client": 1, "middle": (plan.routers + 1) // 2, "server": plan.routers}
        return places[self.place] if self.place else plan.device


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    name: str, *, everywhere: bool = False, place: str | None = None
) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Register a scenario, described by its docstring; `everywhere` makes three: NAME-client, -middle, -server."""

    def register(run: Callable[[Lab], None]) -> Callable[[Lab], None]:
        about = " ".join((run.__doc__ or "").split())
        if not everywhere:
            SCENARIOS[name] = Scenario(name, about, run, place)
        for where in PLACES if everywhere else ():
            SCENARIOS[f"{name}-{where}"] = Scenario(f"{name}-{where}", about, run, where)
        return run

    return register


def load() -> dict[str, Scenario]:
    """All scenarios, in the order they run."""
    from . import (  # noqa: F401
        causes,
        desync,
        endpoint,
        firewalls,
        front_ends,
        icmp,
        injection,
        lifetimes,
        links,
        many_hosts,
        routes,
        scans,
        suricata,
    )

    return SCENARIOS
