"""A pretended CUDA device: what a run would do on a card, found out without one. Start with drive.py.

It may import engine, nets, protocols, data, method.py, errors and paths.
"""
