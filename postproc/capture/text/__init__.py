"""Text of packets -> the raw columns that an export of tshark has.

A form is what one tool prints; `forms` lists them and `text_reader` finds the one that a file has. `tcpdump` reads
lines of tcpdump. `reading` counts what is not understood, `cleaning` undoes what mails and pages add, `hexdump` makes a
capture of bytes that are printed. The room may use `capture.tshark`, `capture.file_type` and `runtime`.
"""
