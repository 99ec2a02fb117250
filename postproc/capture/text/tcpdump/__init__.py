"""What tcpdump prints.

`records` cuts the text into packets, `packet` reads one with `ip_header`, `tcp_header` and `icmp_words`, `clock` reads
its time, `sequence_numbers` undoes relative numbers; `rows` puts them together.
"""
