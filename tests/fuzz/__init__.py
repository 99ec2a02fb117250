"""Fuzzing: inputs that nobody would make on purpose. `make fuzz` runs it for a bounded time.

`seeds` has what the inputs are made from, `mutate` makes them, `targets` are the readers that must survive them, and
`differential` compares the ways of reading a capture. `python -m fuzz` runs all of it; with atheris
installed, the targets are run by libFuzzer, which looks for inputs that reach new code.
"""
