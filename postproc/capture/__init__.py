"""From a file to the packets table: discovery, file types, the prefilter and tshark. May use `runtime` only."""
