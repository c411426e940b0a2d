"""Pieces that several methods share, each once. A method's fingerprint covers those it imports; they import nothing of
each other."""
