"""Why a session ended, as a Palo Alto firewall would log it.

PAN-OS, "Traffic Log Fields", session end reason: of several causes the log names one, a reset before a FIN before a
reuse, and the client's reset before the server's. The plugin does the same in Lua for flows with a reset (`end_reason`
in generator/templates/judge/reset_observables.lua.j2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from postproc.flows.state import Flow

if TYPE_CHECKING:
    import polars as pl

RESET_FROM_CLIENT, RESET_FROM_SERVER = "tcp-rst-from-client", "tcp-rst-from-server"
FIN, REUSE, AGED_OUT = "tcp-fin", "tcp-reuse", "aged-out"


def end_reason(flow: Flow) -> str:
    """The end reason of a flow that has a reset."""
    client = flow.sides[flow.initiator or flow.likely_initiator]
    return RESET_FROM_CLIENT if client.resets else RESET_FROM_SERVER


def end_reasons(
    *, client_resets: pl.Expr, server_resets: pl.Expr, client_fins: pl.Expr, server_fins: pl.Expr, reused: pl.Expr
) -> pl.Expr:
    """The end reasons of a table of flows, from columns of counts."""
    import polars as pl  # slow to import

    return (
        pl.when(client_resets > 0)
        .then(pl.lit(RESET_FROM_CLIENT))
        .when(server_resets > 0)
        .then(pl.lit(RESET_FROM_SERVER))
        .when((client_fins > 0) & (server_fins > 0))
        .then(pl.lit(FIN))
        .when(reused)
        .then(pl.lit(REUSE))
        .otherwise(pl.lit(AGED_OUT))
    )
