"""Pre-trained weights by name: which are known, where they come from, how they get into the cache.

It may import errors, paths and nets. The catalog needs no torch, since planning reads it.
"""
