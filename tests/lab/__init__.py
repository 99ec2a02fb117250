"""A laboratory of Linux network namespaces: real kernels, real firewalls, and captures whose truth is measured.

    python -m tests.lab --seed 7 --out /tmp/lab          # all scenarios on one random path
    python -m tests.lab --seed 7 --out /tmp/lab --scenario reject-syn-middle
    python -m tests.lab --list

One seed is one path: how many routers, where the delay sits, which router is the device, whose hop limits are what.
Every scenario leaves `NAME.client.pcap`, `NAME.server.pcap` and their `.labels.json`. See docs in tests/lab/README.md.
"""
