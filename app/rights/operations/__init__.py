"""Writes of requests about a child's data."""
