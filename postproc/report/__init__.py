"""What a person reads: the summary, the tables, the story of one reset. It may use case and the rooms below."""
