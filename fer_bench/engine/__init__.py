"""Fit one run. Start with fit.py; keyed.py says where every random number comes from.

It may import method.py, protocols, data, nets and errors.
"""
