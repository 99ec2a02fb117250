"""The command line: commands, options, messages and progress. It may use every other room; no room uses it."""
