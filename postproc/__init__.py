"""From captures, or tshark fields exports, to judged resets, summaries and case folders.

The rooms, from top to bottom. A room may use the rooms below it, never one above; `make lint` checks it.

| room           | what lives there                                                                 |
|----------------|----------------------------------------------------------------------------------|
| `cli`          | the command line: commands, options, messages, progress                          |
| `handover`     | `open`: verdicts of the batch engine, shown by the plugin in Wireshark            |
| `case_report`  | the report to send: its content, its charts, the page                            |
| `plugin_setup` | the plugin and the profile in the Wiresharks of this machine                      |
| `report`       | what a person reads: summary, tables, the story of one reset                     |
| `copies`       | copies of captures: with packet comments, with pseudonyms, or of a few packets    |
| `kernel_trace` | traces of a host's kernel, compared with captured resets                          |
| `session_log`  | logs of firewalls and monitors, compared with packets                             |
| `case`         | many inputs: evidence across captures, comparison of captures from both ends     |
| `batch`        | one input -> one result: the job, its cache, Dask, the plugin as an engine        |
| `verdicts`     | observables of resets and ICMP errors, scoring, reconciling                      |
| `flows`        | TCP flows, host profiles, the context of a reset                                 |
| `capture`      | one file -> the packets table: discovery, file types, the prefilter, tshark      |
| `runtime`      | errors, signals, workers, temporary and atomic files, safe text                  |

All may use `heuristics` (the rulebook and what it reads). Only `cli`, `handover`, `plugin_setup` and
`batch.plugin_engine` use `generator` (the Wireshark plugin).

The way of a packet: `capture.reader` -> `flows.tracker` -> `verdicts.judge_resets` -> `batch.job` -> `case.run` ->
`report.summary` -> `cli.summarize`.

docs/architecture.md has the way of one packet in both engines, the terms, and where to make the usual changes.
"""
