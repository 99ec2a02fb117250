"""From a file to the packets table: discovery, file types, the prefilter and tshark. It may use `runtime`."""
