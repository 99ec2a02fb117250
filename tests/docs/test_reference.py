"""Every command, option, field, column, rule, device, exit status and environment variable is documented."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import typer

from heuristics.observables.output_columns import COLUMNS, WIRESHARK_FIELDS
from heuristics.rulebook.model import load
from postproc.cli import exit_status
from postproc.cli.app import app
from postproc.cli.reference import VARIABLES, commands, reference
from postproc.runtime.signals import INTERRUPTED, TERMINATED

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference.md"
OURS = ("heuristics", "generator", "postproc")


def test_the_page_is_that_of_the_program() -> None:
    """`make docs` rewrites it."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_command_and_option_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    count = 0
    for path, command in commands(typer.main.get_command(app)):
        section = text.partition(f"### {' '.join(('rstorigin', *path))}\n")[2].partition("\n### ")[0]
        assert section, path
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts) if parameter.param_type_name == "option" else ():
                assert re.search(rf"[`\s]{re.escape(option)}[`,]", section), (path, option)
                count += 1
    assert count > 50


def test_every_entry_of_the_rulebook_is_there() -> None:
    text, rules = PAGE.read_text(encoding="utf-8"), load()
    entries = [
        *(rules.rules, rules.explanations, rules.devices, rules.reasons),
        *(rules.causes, rules.wheres, rules.advices, rules.icmp),
    ]
    for each in (entry for group in entries for entry in group):
        assert f"| `{each.id}` |" in text, each.id


def test_every_column_and_field_is_documented() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for column in COLUMNS:
        assert re.search(rf"[`\s]{column}[`,.\s]", readme), column
    wireshark = (ROOT / "docs" / "wireshark.md").read_text(encoding="utf-8")
    for field in WIRESHARK_FIELDS:
        assert f"`rstorigin.{field.name}`" in wireshark, field.name


def test_every_exit_status_is_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    statuses = [value for name, value in vars(exit_status).items() if name.isupper()]
    assert len(statuses) >= 2
    for status in (0, *statuses, INTERRUPTED, TERMINATED):
        assert f"| {int(status)} |" in text, status


def test_every_environment_variable_is_documented() -> None:
    """Those that our code asks for by name; of TMPDIR and NO_COLOR, libraries make use."""
    asked = {name for package in OURS for path in (ROOT / package).rglob("*.py") for name in _variables(path)}
    assert asked >= {"RSTORIGIN_TSHARK", "RSTORIGIN_DEBUG", "WIRESHARK_CONFIG_DIR"}
    assert asked <= VARIABLES.keys()
    for name in VARIABLES:
        assert f"| `{name}` |" in PAGE.read_text(encoding="utf-8")


def _variables(path: Path) -> set[str]:
    """The texts that are given to the environment in a module, also by a constant of a name."""
    text = path.read_text(encoding="utf-8")
    if "environ" not in text:
        return set()
    constants: dict[str, str] = {}
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            constants |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    for match in re.finditer(r'environ(?:\.get\(|\[|ment\()\s*(?:"([^"]+)"|(\w+))', text):
        name = match[1] or constants.get(match[2], "")
        if name:
            found.add(name)
    return found | {name for name in constants.values() if name.startswith("RSTORIGIN_")}
