"""The REST contract over HTTP: parse, call one thing, answer. HTTP status codes live here and nowhere else."""
