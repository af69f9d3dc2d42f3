"""The ranked table of runs."""
