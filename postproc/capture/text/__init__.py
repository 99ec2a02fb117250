"""Text of packets, as tcpdump prints it -> the raw columns that an export of tshark has.

`records` cuts the text into packets, `tcpdump` reads one with `ip_header`, `tcp_header` and `icmp_words`, `clock` reads
its time, `sequence_numbers` undoes relative numbers; `text_reader` puts them together. It may use `capture.file_type`
and `runtime`.
"""
