"""What a query means: spelling repaired by the base's own words, references to places of documents read."""
