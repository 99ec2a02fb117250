"""From a file to the packets table: discovery, file types, the prefilter, tshark. It may use runtime alone."""
