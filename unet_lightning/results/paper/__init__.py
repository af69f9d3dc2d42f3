"""Figures and tables for a paper, from what a leaderboard ranks."""
