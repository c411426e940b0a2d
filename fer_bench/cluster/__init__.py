"""Arrays of tasks on a cluster, through submitit.

It may import runs, library, protocols, errors and paths.
"""
