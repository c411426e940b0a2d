"""Datasets, one file each: what it looks for, and how its lists and folders become faces with labels. ``adapter.py``
says what such a file sees and gives; nothing imports these but ``opening.py``, by name."""
