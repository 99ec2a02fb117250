"""The notebook of the examples runs, and draws what it says."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import altair as alt
import pytest
import vl_convert

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_notebook_draws_three_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLES / "first-five-minutes", tmp_path / "first-five-minutes")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))
    variables: dict[str, Any] = {}
    shown = [_run("".join(cell["source"]), variables) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert shown[0].height == 17
    plots = shown[1:]
    assert len(plots) == 3
    for plot in plots:
        assert isinstance(plot, alt.TopLevelMixin)
        assert vl_convert.vegalite_to_svg(plot.to_dict()).count("<path") > 5
    assert all(not cell.get("outputs") for cell in notebook["cells"]), "outputs would grow old"


def _run(source: str, variables: dict[str, Any]) -> Any:
    """Run a cell as a notebook does. Returns the value of its last line."""
    *statements, last = ast.parse(source).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(statements, []), "cell", "exec"), variables)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), variables)
