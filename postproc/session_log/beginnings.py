"""Logs that write the beginning and the end of a session on lines of their own: one session of both."""

from __future__ import annotations

import polars as pl

_KEY = ["session", "src", "sport", "dst", "dport"]
_TAKEN = ["nat_src", "nat_sport", "nat_dst", "nat_dport"]
_KEPT = 500_000  # beginnings whose end has not come; more sessions than that are seldom open at once


class Beginnings:
    """The beginnings read so far, the last ones for each session."""

    def __init__(self) -> None:
        self._open = pl.DataFrame()

    def complete(self, begun: pl.DataFrame, ended: pl.DataFrame) -> pl.DataFrame:
        """The sessions `ended`, with the start and the translated ends that a line before them says.

        `begun` are the lines of the same batch that begin a session, with the columns of a session.
        """
        known = begun.select(*_KEY, *_TAKEN, begun_us=pl.coalesce("end_us", "start_us"), begun_line=pl.col("line"))
        known = pl.concat([self._open, known]) if self._open.height else known
        joined = ended.with_row_index("place").join_asof(
            known.sort("begun_line"),
            left_on="line",
            right_on="begun_line",
            by=_KEY,
            strategy="backward",
            check_sortedness=False,
            suffix=" begun",
        )
        last_ends = ended.group_by(_KEY).agg(ended_line=pl.col("line").max())
        with_ends = known.join(last_ends, on=_KEY, how="left", nulls_equal=True)
        still_open = with_ends.filter(pl.col("ended_line").is_null() | (pl.col("ended_line") < pl.col("begun_line")))
        self._open = still_open.drop("ended_line").tail(_KEPT)
        return joined.select(
            pl.coalesce("begun_us", name).alias(name)
            if name == "start_us"
            else pl.coalesce(name, f"{name} begun")
            if name in _TAKEN
            else pl.col(name)
            for name in ended.columns
        )
