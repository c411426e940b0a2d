"""Fit one run. Start with fit.py; keyed.py says where every random number comes from."""
