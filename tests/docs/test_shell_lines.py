"""The shell lines of README and docs run as they stand there, in a folder that has the files that they name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest
from docs.quoted_output import ROOT, pages
from support.command_line import CAPTURES, SITUATIONS, shell_script
from support.session_logs import CAPTURE, EXAMPLE, WRITERS, sessions

from postproc.capture.tshark.program import find_tshark

LONG = 120  # seconds
# Lines that cannot run in a test, and why.
LEFT_OUT = {
    r"make\b": "installs programs",
    r".*--cluster tcp://": "needs a cluster",
    r"python -m bench\.": "measures for minutes",
    r"(iptables|nft) ": "changes the firewall of this machine",
}
ANSWERS = {"--fail-on": (0, 3)}  # other exit statuses than 0 that a line may have
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def shell_blocks(page: Path) -> list[str]:
    """The commands of a page: a block each where it has a loop, else a line each."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    found = []
    for block in blocks:
        joined = block.replace("\\\n", " ")
        together = joined.startswith("cd ") or "; do\n" in joined
        found += [joined] if together else [line for line in joined.splitlines() if line.strip(" #")]
    return found


def left_out(line: str) -> bool:
    return any(re.match(pattern, line) for pattern in LEFT_OUT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the pages name."""
    here = tmp_path_factory.mktemp("incident")
    capture, rules = SITUATIONS / "firewall-refuses.pcap", (ROOT / "docs" / "rulebook.md").read_text(encoding="utf-8")
    client, server = EXAMPLE / "client.pcap", EXAMPLE / "server.pcap"
    for name in ("capture.pcapng", "capture.pcap"):
        shutil.copy(capture, here / name)
    shutil.copy(SITUATIONS / "ordinary-teardown.pcap", here / "honest.pcapng")
    for suffix in ("pcap", "pcapng"):
        shutil.copy(client, here / f"client.{suffix}")
        shutil.copy(server, here / f"server.{suffix}")
    shutil.copy(client, here / "inside.pcap")
    shutil.copy(server, here / "outside.pcap")
    for name in ("case-folder", "CASE", "before", "after", "captures"):
        (here / name).mkdir()
        shutil.copy(capture, here / name / "a.pcap")
        shutil.copy(CAPTURE, here / name / "b.pcap")
    with zipfile.ZipFile(here / "evidence.zip", "w") as archive:
        archive.write(capture, "client.pcapng")
    (here / "traffic.csv").write_text("\n".join(WRITERS["PAN-OS, CSV"][1](sessions())), encoding="utf-8")
    shutil.copy(CAPTURES / "kernel-traces" / "perf.txt", here / "resets.txt")
    (here / "mine.toml").write_text(re.findall(r"```toml\n(.*?)```", rules, re.DOTALL)[0], encoding="utf-8")
    for name in ("plugins", "examples", "docs"):
        (here / name).symlink_to(ROOT / name)
    shown = subprocess.run(["tcpdump", "-nnvv", "-r", capture], capture_output=True, check=True)
    (here / "packets.txt").write_bytes(shown.stdout)
    (here / "bin").mkdir()
    (here / "bin" / "tshark").symlink_to(find_tshark().program)  # Wireshark is looked for beside it
    shell_script(here / "bin" / "ssh", 'case "$2" in tcpdump) cat capture.pcap ;; *) shift; exec "$@" ;; esac')
    shell_script(here / "bin" / "wireshark", 'echo "Wireshark 4.0.17"')
    return here


@cache
def status_of(line: str, folder: Path, within: Path) -> tuple[int, str]:
    """Exit status and messages of a line, run in `within`. Pages have many lines in common: each runs once."""
    path = os.pathsep.join((str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = os.environ | {
        "PATH": path,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "RSTORIGIN_TSHARK": str(folder / "bin" / "tshark"),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=within,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stderr


PAGES = [page for page in pages() if shell_blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: "-".join(page.parts[-2:]))
def test_the_lines_run(page: Path, folder: Path) -> None:
    failed = []
    for line in shell_blocks(page):
        if left_out(line):
            continue
        within = page.parent if page.parent.parent == ROOT / "examples" and not line.startswith("cd ") else folder
        status, messages = status_of(line, folder, within)
        allowed = next((statuses for word, statuses in ANSWERS.items() if word in line), (0,))
        if status not in allowed:
            failed.append(f"{line}\n  status {status}: {messages}")
    assert not failed, "\n".join(failed)


def test_what_is_left_out_stands_in_the_pages() -> None:
    lines = [line for page in pages() for line in shell_blocks(page)]
    assert len(lines) > 60
    for pattern in LEFT_OUT:
        assert any(re.match(pattern, line) for line in lines), pattern
    assert sum(map(left_out, lines)) < 15
