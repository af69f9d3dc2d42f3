"""Sends the jobs of a sweep to Slurm, or to processes of this machine, and waits for what becomes of them."""
