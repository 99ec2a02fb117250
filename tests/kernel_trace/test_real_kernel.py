"""The printed command traces this machine's kernel, where that is allowed, and what it prints matches a capture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab.sandbox import command as namespaces
from lab.sandbox import why_not
from support.command_line import run

# Within a namespace: tracefs, a closed port on loopback, the trace and a capture of it.
INSIDE = """
import os, signal, socket, subprocess, sys, time
folder, words = sys.argv[1], sys.argv[2]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
os.chdir(folder)
taken = subprocess.Popen(["sh", "-c", words], start_new_session=True)
capture = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-w", "loopback.pcap", "tcp"], stderr=subprocess.DEVNULL)
time.sleep(1.5)
for port in (4001, 4002, 4003):
    for address in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((address, port), timeout=1)
        except OSError:
            pass
        time.sleep(0.05)
time.sleep(1)
os.killpg(taken.pid, signal.SIGINT)
taken.wait(10)
capture.send_signal(signal.SIGTERM)
capture.wait(10)
"""


def test_the_printed_command_on_this_kernel(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("tracing needs root")
    if reason := why_not():
        pytest.skip(reason)
    mounted = ["sh", "-c", "mount -t tracefs tracefs /sys/kernel/tracing; test -d /sys/kernel/tracing/instances"]
    if subprocess.run([*namespaces(), *mounted], capture_output=True, check=False).returncode != 0:
        pytest.skip("this kernel has no tracefs")
    printed = subprocess.run(
        [*namespaces(), "sh", "-c", f"{mounted[2]}; {sys.executable} -m postproc kernel-trace --print"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout.strip()
    name = f"rstorigin-test-{os.getpid()}"
    words = printed.removeprefix("sudo ").replace("-p rstorigin", f"-p {name}").replace("cd rstorigin", f"cd {name}")
    words = words.replace("rmdir rstorigin", f"rmdir {name}")
    subprocess.run([*namespaces(), sys.executable, "-c", INSIDE, tmp_path, words], check=True, timeout=60)
    trace, capture = tmp_path / "resets.txt", tmp_path / "loopback.pcap"
    for _ in range(20):
        if trace.exists() and capture.exists():
            break
        time.sleep(0.1)
    rows = json.loads(run("reconcile", "--no-cache", "--kernel", trace, "--format", "json", capture).stdout)
    assert len(rows) == 6
    assert {row["kernel"] for row in rows} == {"sent by the kernel"}
    assert {row["verdict"] for row in rows} == {"genuine"}
