"""Logs of firewalls in which each line is a packet.

`netfilter` reads what Linux logs, `filterlog` what pfSense and OPNsense log; `log_clock` reads the times of both, and
`segments` adds to TCP headers what a log leaves out.
"""
