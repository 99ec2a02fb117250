"""From captures or tshark fields exports to judged resets, summaries and case folders."""
