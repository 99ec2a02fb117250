"""`rstorigin plugin install`, `uninstall` and `check`, each in a home folder of its own, with every real tshark."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import run, shell_script
from support.wiresharks import PERSONAL_CONFIGURATION, PERSONAL_LUA_PLUGINS, Wireshark, available
from typer.testing import Result

from generator.profile import PROFILE_NAME
from generator.profile_files import render_profile
from generator.render import PLUGIN_NAME, render_plugin
from heuristics.rulebook.model import load
from postproc.plugin_setup.manifest import MANIFEST_NAME

WIRESHARKS = [
    pytest.param(wireshark, marks=[pytest.mark.versions] if number else [], id=str(wireshark))
    for number, wireshark in enumerate(available())
]
PLUGIN = PERSONAL_LUA_PLUGINS / PLUGIN_NAME
PROFILE = PERSONAL_CONFIGURATION / "profiles" / PROFILE_NAME


class Home:
    """A user's home folder, which our process and the user's Wireshark see under one name."""

    def __init__(self, path: Path, wireshark: Wireshark) -> None:
        self.path = path
        self.wireshark = wireshark

    def tree(self) -> dict[str, bytes | None]:
        """Everything in it: path -> content, None for a folder."""
        return {
            str(path.relative_to(self.path)): path.read_bytes() if path.is_file() else None
            for path in self.path.rglob("*")
        }

    def put(self, path: Path, content: str | bytes) -> None:
        """A file of the user's."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


def _as_command(command: tuple[str, ...], folder: Path) -> Path:
    """A program `tshark` that runs one Wireshark's, as its user, in the home folder of the environment."""
    program = folder / "tshark"
    if not program.exists():  # the same file for all tests: rstorigin asks it once for its version
        shell_script(program, f'exec {shlex.join(command)} HOME="$HOME" tshark "$@"')
    return program


@pytest.fixture(params=WIRESHARKS)
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Home]:
    """An empty home for each Wireshark there is."""
    wireshark: Wireshark = request.param
    with tempfile.TemporaryDirectory(prefix="rstorigin-home-", dir=wireshark.root and wireshark.root / "tmp") as made:
        path = Path(made)
        path.chmod(0o755)
        if wireshark.root:  # it sees the folder as /tmp/NAME, and so shall we
            link = Path("/tmp") / path.name
            link.symlink_to(path)
            path = link
        monkeypatch.setenv("HOME", str(path))
        folder = tmp_path_factory.getbasetemp() / f"tshark-{wireshark}"
        monkeypatch.setenv("RSTORIGIN_TSHARK", str(_as_command(wireshark.command, folder)))
        for variable in ("XDG_CONFIG_HOME", "WIRESHARK_CONFIG_DIR"):
            monkeypatch.delenv(variable, raising=False)
        try:
            yield Home(path, wireshark)
        finally:
            if wireshark.root:
                path.unlink()


def plugin(*arguments: str | Path) -> Result:
    """`rstorigin plugin ARGUMENTS`."""
    return run("plugin", *arguments)


def test_install_check_and_uninstall(home: Home) -> None:
    for theirs in ("preferences", "colorfilters", "dmacros", "profiles/Mine/preferences", "init.lua"):
        home.put(PERSONAL_CONFIGURATION / theirs, f"# my {theirs}\n" if theirs != "init.lua" else "-- mine\n")
    home.put(PERSONAL_LUA_PLUGINS / "mine.lua", "-- mine\n")
    before = home.tree()

    assert plugin("install", "--dry-run").exit_code == 0
    assert home.tree() == before

    installed = plugin("install")
    assert installed.exit_code == 0
    assert f'wireshark -C "{PROFILE_NAME}"' in installed.stdout
    added = {name: content for name, content in home.tree().items() if before.get(name, 0) != content}
    assert added.pop(str(PLUGIN)) == render_plugin(load()).encode()
    assert added.pop(str(PROFILE)) is None
    assert added.pop(str(PERSONAL_CONFIGURATION / MANIFEST_NAME))
    assert added == {str(PROFILE / name): text.encode() for name, text in render_profile().items()}
    for name in added:
        assert str(home.path / name) in installed.stdout

    checked = plugin("check")
    assert checked.exit_code == 0, checked.stdout
    version = ".".join(map(str, home.wireshark.version))
    assert [line.split()[0] for line in checked.stdout.splitlines()] == ["ok", "ok", "ok"]
    assert 'is current, made from the rulebook "default" version' in checked.stdout
    assert f"tshark {version}" in checked.stdout

    assert plugin("uninstall").exit_code == 0
    assert home.tree() == before
    assert "nothing is installed" in plugin("uninstall").stdout


def test_folders_that_were_made_are_removed(home: Home) -> None:
    plugin("install")
    plugin("uninstall")
    assert home.tree() == {}


@pytest.mark.parametrize(("option", "there", "missing"), [("plugin", PLUGIN, PROFILE), ("profile", PROFILE, PLUGIN)])
def test_only_one_part(home: Home, option: str, there: Path, missing: Path) -> None:
    plugin("install", f"--{option}-only")
    assert str(there) in home.tree()
    assert str(missing) not in home.tree()
    plugin("install")
    plugin("uninstall", f"--{option}-only")
    assert str(there) not in home.tree()
    assert str(missing) in home.tree()


def test_changed_files_are_the_users(home: Home) -> None:
    plugin("install")
    home.put(PROFILE / "colorfilters", "@mine@tcp@[0,0,0][65535,65535,65535]\n")
    mine = home.tree()

    again = plugin("install")
    assert again.exit_code == 1
    assert "colorfilters  (you changed it; --force replaces it)" in again.stdout
    assert home.tree() == mine

    gone = plugin("uninstall")
    assert gone.exit_code == 1
    assert "colorfilters  (you changed it; --force removes it)" in gone.stdout
    left = {name for name, content in home.tree().items() if content is not None}
    assert left == {str(PROFILE / "colorfilters"), str(PERSONAL_CONFIGURATION / MANIFEST_NAME)}
    assert plugin("uninstall", "--force").exit_code == 0
    assert home.tree() == {}


def test_force_replaces_changes(home: Home) -> None:
    plugin("install")
    installed = home.tree()
    home.put(PROFILE / "colorfilters", "@mine@tcp@[0,0,0][65535,65535,65535]\n")
    assert plugin("install", "--force").exit_code == 0
    assert home.tree() == installed


def test_column_widths_stay_until_the_profile_goes(home: Home) -> None:
    """Wireshark writes `recent` whenever it ends."""
    plugin("install")
    home.put(PROFILE / "recent", "# by Wireshark\ncolumn.width: %m, 200\n")
    assert plugin("install").exit_code == 0
    assert home.tree()[str(PROFILE / "recent")] == b"# by Wireshark\ncolumn.width: %m, 200\n"
    assert plugin("uninstall").exit_code == 0
    assert home.tree() == {}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A rulebook of the user's."""
    path = tmp_path / "mine.toml"
    path.write_text('[rulebook]\nname = "branch-office"\n\n[verdict]\nlikely_forged = 250\n', encoding="utf-8")
    return path


def test_a_rulebook_is_remembered(home: Home, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine.parent)
    plugin("install", "--rulebook", mine.name)
    monkeypatch.chdir("/")
    wanted = render_plugin(load(overlays=[mine])).encode()
    assert home.tree()[str(PLUGIN)] == wanted
    checked = plugin("check")
    assert checked.exit_code == 0
    assert 'made from the rulebook "branch-office"' in checked.stdout
    again = plugin("install")
    assert f"with your rulebook {mine}, as before; --rulebook default drops it" in again.stdout
    assert home.tree()[str(PLUGIN)] == wanted
    mine.write_text("[verdict]\nlikely_forged = 240\n", encoding="utf-8")
    assert plugin("check").exit_code == 1
    plugin("install")
    assert home.tree()[str(PLUGIN)] == render_plugin(load(overlays=[mine])).encode()


def test_a_remembered_rulebook_is_dropped(home: Home, mine: Path) -> None:
    plugin("install", "--rulebook", mine)
    assert plugin("check", "--rulebook", "default").exit_code == 1
    dropped = plugin("install", "--rulebook", "default")
    assert dropped.exit_code == 0  # ours, as installed: replaced without asking
    assert home.tree()[str(PLUGIN)] == render_plugin(load()).encode()
    assert plugin("check").exit_code == 0
    assert "with your rulebook" not in plugin("install").stdout


def test_a_remembered_rulebook_goes_with_the_plugin(home: Home, mine: Path) -> None:
    plugin("install", "--rulebook", mine)
    plugin("install", "--profile-only")
    assert plugin("check").exit_code == 0
    plugin("uninstall", "--plugin-only")
    plugin("install")
    assert home.tree()[str(PLUGIN)] == render_plugin(load()).encode()


def test_a_remembered_rulebook_that_is_gone(home: Home, mine: Path) -> None:
    plugin("install", "--rulebook", mine)
    before = home.tree()
    mine.unlink()
    gone = plugin("install")
    assert gone.exit_code == 2
    assert f"{mine}: the rulebook of the plugin does not exist (name another with --rulebook, or drop it" in gone.stderr
    assert home.tree() == before
    assert plugin("install", "--rulebook", "default").exit_code == 0


def test_a_trial_remembers_nothing(home: Home, mine: Path) -> None:
    assert plugin("install", "--rulebook", mine, "--dry-run").exit_code == 0
    assert home.tree() == {}
    assert plugin("install", "--rulebook", mine, "--profile-only").exit_code == 2


def test_a_record_without_a_rulebook_is_read(home: Home) -> None:
    """Those of older versions have none."""
    plugin("install")
    record = home.path / PERSONAL_CONFIGURATION / MANIFEST_NAME
    content = json.loads(record.read_text(encoding="utf-8"))
    assert content.pop("rulebook") is None
    record.write_text(json.dumps(content), encoding="utf-8")
    assert plugin("install").exit_code == 0


def test_plugins_that_were_put_there_by_hand(home: Home) -> None:
    home.put(PLUGIN, render_plugin(load()).replace("version 1.", "version 0.", 1))
    assert plugin("check").exit_code == 1
    assert "a copy of the plugin that was put there by hand" in plugin("install").stdout
    assert plugin("check").exit_code == 0


def test_a_foreign_file_of_the_same_name(home: Home) -> None:
    home.put(PLUGIN, "-- somebody else's\n")
    foreign = plugin("install", "--plugin-only")
    assert foreign.exit_code == 1
    assert "rstorigin did not install it" in foreign.stdout
    assert home.tree()[str(PLUGIN)] == b"-- somebody else's\n"
    assert "is not the plugin that rstorigin generates" in plugin("check").stdout


def test_check_says_that_nothing_is_installed(home: Home) -> None:
    checked = plugin("check")
    assert checked.exit_code == 1
    assert f"there is no {home.path / PLUGIN}" in checked.stdout
    assert "does not have the plugin's fields" in checked.stdout


def test_check_finds_a_load_error(home: Home) -> None:
    plugin("install")
    home.put(PLUGIN, render_plugin(load()) + "this is not Lua\n")
    checked = plugin("check")
    assert checked.exit_code == 1
    assert "reports Lua errors:" in checked.stdout
    assert "syntax error" in checked.stdout
    assert "the cause is unknown" not in checked.stdout


@pytest.mark.parametrize("copy", [PERSONAL_LUA_PLUGINS / "old" / "rst.lua", PERSONAL_CONFIGURATION / "plugins/rst.lua"])
def test_check_finds_a_second_copy(home: Home, copy: Path) -> None:
    plugin("install")
    home.put(copy, render_plugin(load()))
    checked = plugin("check")
    assert checked.exit_code == 1
    line = next(line for line in checked.stdout.splitlines() if "there are several copies" in line)
    assert str(home.path / PLUGIN) in line
    assert str(home.path / copy) in line


@pytest.mark.parametrize("line", ["enable_lua = false", "disable_lua = true"])
def test_check_finds_lua_turned_off(home: Home, line: str) -> None:
    if home.wireshark.version < (4, 4):
        pytest.skip("here only the init.lua of all users turns Lua off")
    plugin("install")
    home.put(PERSONAL_CONFIGURATION / "init.lua", f"{line}\n")
    checked = plugin("check")
    assert checked.exit_code == 1
    assert f"{home.path / PERSONAL_CONFIGURATION / 'init.lua'} turns Lua off ({line})" in checked.stdout


def test_check_knows_what_root_gets(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    plugin("install")
    command = home.wireshark.command
    as_root = command[command.index("env") :]
    inside = ("chroot", str(home.wireshark.root)) if home.wireshark.root else ()
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(_as_command((*inside, *as_root), tmp_path)))
    checked = plugin("check")
    silent = home.wireshark.version >= (4, 4)
    assert ("Wireshark loads no Lua for root" in checked.stdout) == silent
    assert checked.exit_code == silent


def test_a_folder_in_the_way(home: Home) -> None:
    (home.path / PLUGIN).mkdir(parents=True)
    blocked = plugin("install")
    assert blocked.exit_code == 2
    assert f"{home.path / PLUGIN}: cannot be read: Is a directory" in blocked.stderr


def test_a_damaged_record(home: Home) -> None:
    home.put(PERSONAL_CONFIGURATION / MANIFEST_NAME, "{")
    assert "is not the record that rstorigin wrote" in plugin("install").stderr
    assert home.tree()[str(PERSONAL_CONFIGURATION / MANIFEST_NAME)] == b"{"


def test_wrong_usage(home: Home) -> None:
    assert plugin("install", "--plugin-only", "--profile-only").exit_code == 2
