"""What is asked of every method: protocols and recipes, label noise and imbalance, what they do to a dataset.

It may import data, errors and paths.
"""
