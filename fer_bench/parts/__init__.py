"""Pieces that several methods share, each once; none imports another.

Methods import them. They may import method.py.
"""
