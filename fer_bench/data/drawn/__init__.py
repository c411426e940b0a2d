"""The embedded dataset: drawn faces. Start with synthetic.py, which holds the frozen ones; the others draw."""
