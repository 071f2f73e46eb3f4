"""Vocabulary of the service: settings, types, errors. Imports nothing of ours and no model library."""
