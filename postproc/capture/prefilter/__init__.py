"""Decodes packets without tshark, many at a time, and leaves what it cannot decode for certain to tshark.

It may use `capture.tshark`, the modules of `capture` below that, and `runtime`.
"""
