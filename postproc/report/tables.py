"""Results as four tables (resets, flows, hosts, captures) in a folder, written whole or not at all.

Each table is written as Parquet and as CSV. The names of tables and columns are public.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import polars as pl

from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import ACCUSED, Verdict
from postproc.batch.job import CaptureResult
from postproc.batch.parquet_rows import schema_of
from postproc.case.case_file import CaseFile
from postproc.flows.flow_table import FLOW_SCHEMA, unpacked
from postproc.report.summary import Summary
from postproc.runtime.dataclass_codec import to_plain
from postproc.runtime.errors import OutputError, why_not_written
from postproc.runtime.output_folder import ABOUT, check_folder
from postproc.runtime.text import csv_text
from postproc.verdicts.result_row import ResetRow

_VERDICTS = tuple(verdict.value for verdict in Verdict)


def tables(summary: Summary, judged: Sequence[CaptureResult], case: CaseFile) -> dict[str, pl.DataFrame]:
    """The four tables of the results of all inputs. `case` says which networks are ours.

    Where the summary is about a selection, flows without a selected reset are left out.
    """
    resets = pl.DataFrame([to_plain(row) for row in summary.rows], schema=schema_of(ResetRow), orient="row")
    return {
        "resets": resets,
        "flows": _flows(judged, resets, "inner" if summary.selected else "left"),
        "hosts": _hosts(resets, case),
        "captures": _captures(judged, resets),
    }


def _flows(judged: Sequence[CaptureResult], resets: pl.DataFrame, how: Literal["inner", "left"]) -> pl.DataFrame:
    """The flows of each capture, with how many of their resets are forged or likely forged."""
    flows = pl.concat(
        [pl.DataFrame(schema={"capture": pl.String(), **FLOW_SCHEMA})]
        + [unpacked(each.flows).select(pl.lit(each.name).alias("capture"), pl.all()) for each in judged]
    )
    accused = (
        resets.filter(pl.col("kind") == "rst")
        .group_by("capture", "flow")
        .agg(
            forged=pl.col("verdict").is_in([verdict.value for verdict in ACCUSED]).sum().cast(pl.Int64),
            suspicion=pl.col("suspicion").max(),
        )
    )
    joined = flows.join(accused, on=["capture", "flow"], how=how, maintain_order="left")
    return joined.with_columns(pl.col("forged").fill_null(0))


def _counts() -> list[pl.Expr]:
    """Counts of resets, of ICMP errors, and of resets by verdict."""
    is_reset = pl.col("kind") == "rst"
    return [
        is_reset.sum().cast(pl.Int64).alias("resets"),
        (~is_reset).sum().cast(pl.Int64).alias("icmp_errors"),
        *(
            (is_reset & (pl.col("verdict") == verdict)).sum().cast(pl.Int64).alias(verdict.replace(" ", "_"))
            for verdict in _VERDICTS
        ),
    ]


def _hosts(resets: pl.DataFrame, case: CaseFile) -> pl.DataFrame:
    """Every address that a reset or ICMP error names as its sender, the most suspicious first."""
    of_resets = pl.col("kind") == "rst"
    hosts = resets.group_by("src", maintain_order=True).agg(
        pl.col("capture").n_unique().cast(pl.Int64).alias("captures"),
        *_counts(),
        pl.col("suspicion").filter(of_resets).max().alias("suspicion"),
        *(
            pl.col(name).filter(of_resets).drop_nulls().unique().sort().alias(f"{name}s")
            for name in ("hop_baseline", "distance", "sender_distance")
        ),
        pl.col("time").min().alias("first_time"),
        pl.col("time").max().alias("last_time"),
    )
    ours = [case.is_ours(address) if case.networks else None for address in hosts["src"]]
    return (
        hosts.rename({"src": "host"})
        .insert_column(1, pl.Series("ours", ours, pl.Boolean))
        .sort("suspicion", descending=True, nulls_last=True, maintain_order=True)
    )


def _captures(judged: Sequence[CaptureResult], resets: pl.DataFrame) -> pl.DataFrame:
    """Every input, including those without a reset and those that could not be read."""
    inputs = pl.DataFrame(
        [
            {
                "capture": each.name,
                "readable": each.readable,
                "packets": each.packets,
                "problems": [problem.reason for problem in each.problems],
                "copy_of": each.copy_of or None,
            }
            for each in judged
        ],
        schema={
            **{"capture": pl.String, "readable": pl.Boolean, "packets": pl.Int64},
            **{"problems": pl.List(pl.String), "copy_of": pl.String},
        },
    )
    counted = resets.group_by("capture").agg(
        *_counts(),
        pl.col("flow").filter(pl.col("kind") == "rst").n_unique().cast(pl.Int64).alias("flows_with_resets"),
    )
    numbers = pl.col(pl.Int64).exclude("packets").fill_null(0)
    return inputs.join(counted, on="capture", how="left", maintain_order="left").with_columns(numbers)


def write_tables(
    folder: Path, content: Mapping[str, pl.DataFrame], rulebook: Rulebook, inputs: Collection[Path], *, force: bool
) -> None:
    """Write the tables into `folder`, which is made, or replaced as a whole if it holds tables of rstorigin.

    A folder with other files is replaced only with `force`, and a folder with an input never. Raises OutputError.
    """
    check_folder(folder, inputs, force=force)
    folder = folder.resolve()
    beside = folder.with_name(f".rstorigin-{secrets.token_hex(6)}.tmp")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        _write_all(beside, content, rulebook)
        _put_in_place(beside, folder)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = f"cannot be written: {why_not_written(error)}"
        raise OutputError(str(folder), reason, "choose another place with --out") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_all(folder: Path, content: Mapping[str, pl.DataFrame], rulebook: Rulebook) -> None:
    for name, table in content.items():
        table.write_parquet(folder / f"{name}.parquet")
        _flat(table).write_csv(folder / f"{name}.csv")
    about = {
        "rstorigin": "tables of judged resets",
        "rulebook": {"name": rulebook.header.name, "version": rulebook.header.version, "hash": rulebook.hash},
        "rows": {name: table.height for name, table in content.items()},
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _flat(table: pl.DataFrame) -> pl.DataFrame:
    """The table for CSV: lists joined by `;`, and no text that a spreadsheet takes for a formula."""
    lists = [name for name, kind in table.schema.items() if isinstance(kind, pl.List)]
    joined = table.with_columns(pl.col(name).cast(pl.List(pl.String)).list.join(";") for name in lists)
    return joined.with_columns(pl.col(pl.String).map_elements(csv_text, return_dtype=pl.String))


def _put_in_place(new: Path, folder: Path) -> None:
    """Replace `folder` by `new`. If that fails, the old folder comes back."""
    if not folder.exists():
        new.rename(folder)
        return
    old = new.with_name(f"{new.name}-old")
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        with suppress(OSError):
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
