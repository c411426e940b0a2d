"""Datasets: adapters of every layout, the pack that they are decoded into, its cache, checks of what was found.

It may import errors alone.
"""
