"""Hands the verdicts of a run over to Wireshark. May use every room but `cli`."""
