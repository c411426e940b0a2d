"""What there is to choose from: methods read from their sources, their declared versions, listings.

No torch in here. It may import protocols, data, errors and paths.
"""
