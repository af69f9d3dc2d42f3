"""Hyper-parameter search by Optuna: the trials are the jobs of a sweep."""
