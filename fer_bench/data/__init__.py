"""Datasets as packs: decoded once, opened in milliseconds. Start with pack.py, then `open_dataset` in catalog.py."""
