"""Helpers of the tests: hand-made and random captures, programs to run, and both engines side by side."""
