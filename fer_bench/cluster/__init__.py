"""Hundreds of runs as one array of jobs. Read submit.py, then task.py."""
