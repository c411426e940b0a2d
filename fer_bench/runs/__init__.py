"""Many runs: their identity, plans, records and claims; the workers that do them; how they stand.

It may import engine, library, protocols, data, nets, errors and paths.
"""
