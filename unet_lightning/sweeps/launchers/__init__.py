"""Sends the jobs of a sweep to Slurm, or to processes of this machine, and waits for what becomes of them.

Beyond Hydra's own submitit launcher: a job that dies does not take the sweep with it, clusters without accounting are
watched by squeue, and jobs on this machine take turns, each with a GPU of its own.
"""
