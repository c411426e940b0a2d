"""Time and memory against images, classes, image size, packed runs and records; and training on AffectNet's size.

    python benchmarks/scaling.py                            # 12 to 14 minutes, 9 or more AffectNet's; 12 GB of disk
    python benchmarks/scaling.py --small                    # under two minutes
    python benchmarks/scaling.py --only images,records --out /tmp/scaling.json
    python benchmarks/scaling.py --only affectnet --scratch /data/tmp --epoch-seconds 0

The claim: nothing grows faster than it must. log(time) is fitted against log(n) over the upper half of the sizes; the
exit status is 1 if an exponent exceeds its limit (1.15 for what may be linear, 1.0 for what must be below it, as in the
number of classes, 0.15 for what must stay: seconds of a step against images, of the same runs against lanes), if a
part fails, or if 283,901 faces of 112 px (10.7 GB) cannot be trained on from the file within 8 GB of memory.
Seconds are processor seconds of one thread (neighbours do not count), those of AffectNet wall seconds; megabytes are
growth of RssAnon, each point in a process of its own. The memory limit is a cgroup inside this process's own one, where
that may be made. Writes the JSON after each point, at the end log-log panels beside it and a table to stdout.
"""

import os
import signal
import sys

from scaling.suite import main

if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # of the children, which measure one thread
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("stopped"))
    sys.exit(main(doc=__doc__))
