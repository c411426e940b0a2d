"""What a grid of runs will take, before it is paid for: memory, time here and on a named card, a Slurm time limit.

It may import fake, runs, engine, library, protocols, nets, method, data, errors and paths.
"""
