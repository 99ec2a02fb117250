"""What every room needs: errors, signals, workers, temporary and atomic files, safe text. May use `heuristics` only."""
