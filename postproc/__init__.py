"""From captures, or tshark fields exports, to judged resets, summaries and case folders.

The rooms, from top to bottom. A room may use the rooms below it, never one above; `make lint` checks it.

| room           | what lives there                                                                 |
|----------------|----------------------------------------------------------------------------------|
| `cli`          | the command line: commands, options, messages, progress                          |
| `plugin_setup` | the plugin and the profile in the Wiresharks of this machine                      |
| `report`       | what a person reads: summary, tables, the story of one reset                     |
| `case`         | many inputs: evidence across captures, comparison of captures from both ends     |
| `batch`        | one input -> one result: the job, its cache, Dask, the plugin as an engine        |
| `verdicts`     | observables of resets and ICMP errors, scoring, reconciling                      |
| `flows`        | TCP flows, host profiles, the context of a reset                                 |
| `capture`      | one file -> the packets table: discovery, file types, the prefilter, tshark      |
| `runtime`      | errors, signals, workers, temporary and atomic files, safe text                  |

All may use `heuristics` (the rulebook and what it reads). Only `cli`, `plugin_setup` and `batch.plugin_engine` use
`generator` (the Wireshark plugin).

The way of a packet: `capture.reader` -> `flows.tracker` -> `verdicts.judge_resets` -> `batch.job` -> `case.run` ->
`report.summary` -> `cli.summarize`.

Glossary

- authentic packet: any packet but a reset or an ICMP error. We take it as sent by its source.
- capture point: where and when a capture was taken, as its packets show it. Capture location: the same by case.toml.
- case: a folder with captures of one incident, with an optional case.toml and a cache.
- cross-capture baseline: how far away a sender is, from other captures of the case.
- decodable, non-IP and deferred packets: those that the prefilter decodes, those without an IP header, and those that
  it leaves to tshark.
- evidence: the rules of the rulebook that hold for a reset.
- ends: source, source port, destination, destination port of one direction of a flow.
- fields export: the fields of a capture that verdicts need, as text of `tshark -T fields` or as Parquet.
- IP-ID run: resets whose IP IDs count up, so that one device sent them.
- link layer, encapsulation: what is before the IP header, and packets inside other packets (tunnels).
- local address: an address at whose own interface the capture was taken: all its packets have an initial hop limit.
- packets table: one row per IP packet, or per packet that represents others, with the columns of `Packet`.
- peer capture: a capture taken at a claimed sender. A comparison with it shows which resets left that sender.
- prefilter: what splits a capture into decodable and deferred packets, so that tshark reads few.
- quoted packet: the packet that an ICMP error rejects, of which it repeats the first bytes.
- relevance: whether a verdict can depend on a packet. Representatives: few rows that stand for all packets alike.
- settings key: a name for everything that a result depends on, except the capture.
- source: an input file, or the sender of a packet. Result: what judging an input gives. Stamp: size and time of
  change of the file.
- spilled flows: flows that are only followed, whose packets wait on disk.
"""
