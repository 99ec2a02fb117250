"""The facts about resets and ICMP errors that conditions can ask for: names, types, units, meaning."""
