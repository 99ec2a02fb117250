"""What rstorigin looks for: the vocabulary of observables, the rulebook and the verdict. No captures, no Wireshark."""
