"""Many inputs at once: evidence across captures, and captures from both ends. It may use batch and all below it."""
