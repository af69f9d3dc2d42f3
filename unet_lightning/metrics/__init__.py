"""Measures of quality inside the field of view."""
