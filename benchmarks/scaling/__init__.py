"""What ``scaling.py`` measures: time and memory at several sizes, each in a process of its own, and AffectNet's size.

Read suite.py (the points), then fit.py (how fast each quantity may grow).
"""
