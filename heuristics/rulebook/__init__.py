"""The rulebook: what its files say, how they are checked and merged, and how evidence becomes a verdict."""
