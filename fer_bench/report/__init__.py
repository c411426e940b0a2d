"""From records to pages and figures.

No torch in here. It may import tables, library and errors.
"""
