"""Figures of merit inside the field of view."""
