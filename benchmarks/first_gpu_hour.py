"""All that whoever first has a GPU for an hour should learn, in one command.

    python benchmarks/first_gpu_hour.py                            # an hour; on a shared card the figures mean little
    python benchmarks/first_gpu_hour.py --minutes 90 --data-root ~/data/FERPlus
    python benchmarks/first_gpu_hour.py --only gpu-tests,packing   # parts by name
    python benchmarks/first_gpu_hour.py --rehearse                 # a few minutes on a CPU, at tiny sizes
    python benchmarks/first_gpu_hour.py --page                     # write JSON and page again from what is there

Its parts, in the order of their value: the GPU tests, doctor, graph against eager for every method, speed.py against
the usual pipeline, packed runs, a run interrupted and packed compared bit for bit with an undisturbed one, and a grid
on FERPlus for the time that is left. Each is a process with a time limit of its own; what it wrote until then counts,
and none stops the others. The same command goes on: it skips what is done, unless the commit or the card is another.
Writes gpu-CARD.json and a page beside it, gpu-CARD.md, after every part.
"""

import signal
import sys

from first_hour.suite import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is cancelled ends its parts, too
    sys.exit(main(doc=__doc__))
