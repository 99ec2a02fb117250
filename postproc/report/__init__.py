"""What a person reads: the summary, tables, and the story of one reset. It may use case and all below it."""
