"""The baseline that increases are judged against: a model, or a file of aggregates."""
