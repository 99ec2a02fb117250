"""From a rulebook to what Wireshark loads: the Lua plugin."""
