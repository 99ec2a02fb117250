"""Packets decoded without tshark, many at a time. What it is not sure of it leaves to tshark."""
