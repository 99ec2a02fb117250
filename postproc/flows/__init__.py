"""TCP flows and hosts: follow flows, profile hosts, and take the context of each reset. Uses capture and below."""
