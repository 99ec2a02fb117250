"""Runs tshark, names the fields that it prints, and parses its output. May use `capture.file_type` and `runtime`."""
