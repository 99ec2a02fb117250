"""The facts about resets and ICMP errors that conditions can name: names, types, units, meaning."""
