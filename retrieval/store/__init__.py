"""The database is the truth. All SQL of the service stands in this package, always with parameters.

Functions take a connection first, so that the caller decides what is one transaction
(`Database.read` and `Database.write`), and every read takes the principal who asks.
"""
