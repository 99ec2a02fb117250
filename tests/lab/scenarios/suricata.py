"""Suricata on a router, with rules that reject: beside the path, or in it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from functools import partial
from pathlib import Path

from ..lab import TRIGGER, VERSIONS, Lab, SkippedError
from . import scenario

QUEUE = 7
START_TIMEOUT = 20  # seconds
TALKS = 3  # connections of each version and rule
CONFIGURATION = """%YAML 1.1
---
vars:
  address-groups: {{HOME_NET: any, EXTERNAL_NET: any}}
default-log-dir: {folder}
stats: {{enabled: no}}
outputs: [{{fast: {{enabled: yes, filename: fast.log}}}}]
logging: {{default-log-level: notice, outputs: [{{file: {{enabled: yes, filename: {folder}/suricata.log}}}}]}}
host-mode: router
stream: {{checksum-validation: no, inline: auto, midstream: true}}
af-packet: [{{interface: client, cluster-id: 9, cluster-type: cluster_flow}}]
app-layer: {{protocols: {{}}}}
"""


@scenario("suricata")
def suricata(lab: Lab) -> None:
    """Suricata's reject, rejectdst and rejectboth on the trigger, and reject of a SYN, by libnet; passive or inline."""
    if shutil.which("suricata") is None:
        raise SkippedError("suricata is not installed (tests/lab/README.md says where to get it)")
    inline = lab.rng.random() < 0.5
    actions = {action: lab.port(device=f"suricata_{action}") for action in ("reject", "rejectdst", "rejectboth")}
    refused = lab.port(device="suricata_reject_syn")
    for port in (*actions.values(), refused):
        lab.serve(port)
    lab.remarks.append("inline, by a netfilter queue" if inline else "passive, on the port towards the client")
    _start(lab, actions, refused, inline)

    def talk_and_trigger(version: int, port: int) -> None:
        with contextlib.closing(lab.dial(version, port)) as connection:
            lab.talk(connection, lab.rng.randint(1, 2))
            lab.send_trigger(connection)

    tasks = [partial(talk_and_trigger, v, port) for port in actions.values() for v in VERSIONS * TALKS]
    lab.together(tasks + [partial(lab.knock, v, refused) for v in VERSIONS * 2])


def _start(lab: Lab, actions: dict[str, int], refused: int, inline: bool) -> None:
    """Run it until the scenario ends; returns when its engine says that it is running."""
    folder = Path("/run") / f"suricata-{refused}"
    folder.mkdir()
    rules = [
        f'{action} tcp any any -> any {port} (msg:"{action}"; content:"{TRIGGER.decode()}"; sid:{number};)'
        for number, (action, port) in enumerate(actions.items(), 1)
    ]
    rules.append(f'reject tcp any any -> any {refused} (msg:"syn"; flags:S; sid:9;)')
    (folder / "lab.rules").write_text("\n".join(rules) + "\n")
    (folder / "suricata.yaml").write_text(CONFIGURATION.format(folder=folder))
    words = ["suricata", "-c", f"{folder}/suricata.yaml", "-S", f"{folder}/lab.rules", "-l", str(folder), "-k", "none"]
    if inline:
        ports = ", ".join(map(str, (*actions.values(), refused)))
        lab.firewall(lab.device, "forward", [f"tcp dport {{ {ports} }} queue num {QUEUE}",
                                             f"tcp sport {{ {ports} }} queue num {QUEUE}"])  # fmt: skip
    process = lab.program(lab.device, *words, *(["-q", str(QUEUE)] if inline else ["--af-packet=client"]))
    log = folder / "suricata.log"
    for _ in range(START_TIMEOUT * 20):
        if log.exists() and "Engine started" in log.read_text():
            return
        if process.poll() is not None:
            break
        lab.pause(0.05)
    reason = log.read_text() if log.exists() else subprocess.list2cmdline(words)
    raise SkippedError(f"suricata does not run here: {reason[-300:]}")
