"""TCP flows and hosts: what their packets show, and how a flow stood when a reset passed. It uses capture and below."""
