"""One job: a Job in, a stream of events out."""

import os

# JAX on a CPU sums in another order for another number of threads. With one, a run comes to the same bits on any slot
# and any machine of a kind; more cores run more jobs. JAX reads this when its first array is made, so it stands here.
os.environ.setdefault("PJRT_NPROC", "1")
