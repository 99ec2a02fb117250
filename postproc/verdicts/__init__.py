"""From observables to verdicts: scoring, shared origin, ICMP errors, reconciling. It may use flows and all below it."""
