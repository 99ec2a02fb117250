"""`--out DIR`: four tables as Parquet and CSV, whole or not at all, and never over what is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from support.case_folders import small_case
from support.command_line import FORGED, GENUINE, LAB, capture, reset, run

from heuristics.rulebook.model import load
from postproc.report import tables
from postproc.runtime.errors import OutputError
from postproc.verdicts.result_row import COLUMNS

NAMES = ("resets", "flows", "hosts", "captures")
FILES = sorted(["about.json", *(f"{name}.{form}" for name in NAMES for form in ("csv", "parquet"))])


def read(folder: Path) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(folder / f"{name}.parquet") for name in NAMES}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    case = small_case(folder / "case")
    (case / "bad.pcap").write_bytes(b"\0not a capture")
    (case / "case.toml").write_text('networks = ["192.0.2.0/24", "10.0.0.0/8"]\n', encoding="utf-8")
    result = run("summarize", case, "-j", "1", "--out", folder / "out", "--format", "csv", "-o", folder / "rows.csv")
    assert result.exit_code == 1
    return folder


def test_all_tables_are_there_in_both_forms(written: Path) -> None:
    out = written / "out"
    assert sorted(path.name for path in out.iterdir()) == FILES
    about = json.loads((out / "about.json").read_text(encoding="utf-8"))
    assert about["rulebook"]["hash"] == load().hash
    for name, table in read(out).items():
        assert about["rows"][name] == table.height
        flat = pl.read_csv(out / f"{name}.csv", infer_schema=False)
        assert (flat.columns, flat.height) == (table.columns, table.height)
    assert sorted(path.name for path in written.iterdir()) == ["case", "out", "rows.csv"]


def test_resets_are_the_rows_of_the_csv_format(written: Path) -> None:
    resets = read(written / "out")["resets"]
    rows = pl.read_csv(written / "rows.csv", infer_schema=False)
    assert tuple(resets.columns) == COLUMNS == tuple(rows.columns)
    assert resets["frame"].to_list() == [int(frame) for frame in rows["frame"]]
    assert resets["evidence"].list.join(";").to_list() == [text or "" for text in rows["evidence"]]
    assert resets.schema["suspicion"] == pl.Int64


def test_captures_are_all_inputs(written: Path) -> None:
    captures = {row["capture"]: row for row in read(written / "out")["captures"].to_dicts()}
    assert list(captures) == ["bad.pcap", "forged.pcap", "genuine.pcap", "deeper/quiet.pcap"]
    assert captures["bad.pcap"]["readable"] is False
    assert captures["bad.pcap"]["packets"] is None
    assert len(captures["bad.pcap"]["problems"]) == 1
    assert captures["forged.pcap"]["resets"] == 3
    assert captures["forged.pcap"]["forged"] + captures["forged.pcap"]["likely_forged"] == 1
    assert captures["deeper/quiet.pcap"]["resets"] == 0
    assert captures["deeper/quiet.pcap"]["packets"] == 37


def test_flows_and_hosts_add_up_to_the_resets(written: Path) -> None:
    content = read(written / "out")
    resets, flows, hosts = content["resets"], content["flows"], content["hosts"]
    assert flows["resets"].sum() == resets.height == hosts["resets"].sum()
    assert flows["forged"].sum() == hosts["forged"].sum() + hosts["likely_forged"].sum() == 1
    assert set(flows["flow"]) == set(resets["flow"])
    assert set(hosts["host"]) == set(resets["src"])
    assert hosts["suspicion"].to_list() == sorted(hosts["suspicion"], reverse=True)
    ours = dict(hosts.select("host", "ours").iter_rows())
    assert {address: address.startswith(("10.", "192.0.2.")) for address in ours} == ours


def test_no_reset_at_all_gives_empty_tables(tmp_path: Path) -> None:
    assert run("summarize", LAB / "02_reject_syn_r1.server.pcap", "--out", tmp_path / "out").exit_code == 0
    content = read(tmp_path / "out")
    assert [content[name].height for name in NAMES] == [0, 0, 0, 1]


def test_the_flows_option_writes_every_flow(tmp_path: Path) -> None:
    run("summarize", LAB / "02_reject_syn_r1.server.pcap", "--flows", "all", "--out", tmp_path / "out")
    assert set(read(tmp_path / "out")["flows"]["end_reason"]) == {"tcp-fin"}


def test_hostile_names_do_no_harm_in_a_spreadsheet(tmp_path: Path) -> None:
    capture(tmp_path / "=1+1.pcap", [reset()])
    run("summarize", tmp_path, "--out", tmp_path / "out")
    assert '"=1+1.pcap"' not in (tmp_path / "out" / "captures.csv").read_text(encoding="utf-8")
    assert "'=1+1.pcap" in (tmp_path / "out" / "captures.csv").read_text(encoding="utf-8")
    assert read(tmp_path / "out")["captures"]["capture"].to_list() == ["=1+1.pcap"]


def test_tables_of_ours_are_replaced_as_a_whole(tmp_path: Path) -> None:
    run("summarize", FORGED, "--out", tmp_path / "out")
    first = read(tmp_path / "out")["captures"]["capture"].to_list()
    assert run("summarize", GENUINE, "--out", tmp_path / "out").exit_code == 0
    assert read(tmp_path / "out")["captures"]["capture"].to_list() != first
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_other_files_are_replaced_only_by_force(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("summarize", FORGED, "--out", out)
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    refused = run("summarize", FORGED, "--out", out)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert (out / "notes.txt").exists()
    assert run("summarize", FORGED, "--out", out, "--force").exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == FILES


def test_tables_of_somebody_else_are_not_taken_for_ours(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "resets.csv").write_text("theirs", encoding="utf-8")
    assert run("summarize", FORGED, "--out", out).exit_code == 2
    assert (out / "resets.csv").read_text(encoding="utf-8") == "theirs"


def test_an_empty_folder_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run("summarize", FORGED, "--out", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize("where", [".", "case", "case/deeper"])
def test_what_holds_an_input_is_never_replaced(tmp_path: Path, where: str) -> None:
    case = small_case(tmp_path / "case")
    result = run("summarize", case, "--out", tmp_path / where, "--force")
    assert result.exit_code == 2
    assert "holds an input" in result.stderr
    assert (case / "deeper" / "quiet.pcap").exists()


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    assert run("summarize", FORGED, "--out", tmp_path / "out", "--force").exit_code == 2
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_when_writing_fails_the_old_tables_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    run("summarize", FORGED, "--out", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    content = read(out)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "_flat", full)
    with pytest.raises(OutputError, match="No space left on device"):
        tables.write_tables(out, content, load(), [], force=False)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
