"""What rstorigin looks for: the vocabulary of observables, the rulebook, and the verdict. No I/O beyond reading a rulebook."""
