"""Running tshark, the fields that are asked of it, and the parsers of what it prints."""
