"""From runs to what they prove: intervals of gains, tests of pairs, ranks over datasets, seeds that are needed.

The parts: intervals (seeds and faces together), bootstrap (the same by resampling), pairs (McNemar), ranks (Friedman,
Nemenyi), power (how many seeds), compare (two methods over all that they share), render and figure (its outcome). The
paired test over seeds and Holm's adjustment are those of the tables: tables/stats.py. docs/statistics.md says which
question each answers. No torch in here. It may import tables and errors.
"""
