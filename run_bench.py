#!/usr/bin/env python3
"""The command: `python run_bench.py --method nla --protocol noise30`. All of it is in fer_bench/cli."""

from fer_bench.cli import main

if __name__ == "__main__":
    main()
