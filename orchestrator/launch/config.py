"""How a launch is carried out: when it ends, what it keeps the books in, and who follows it."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scalectl.orchestrator.launch.ledger import Ledger, Meter
from scalectl.orchestrator.launch.news import Listener
from scalectl.orchestrator.plan.plan import Caps
from scalectl.orchestrator.vocabulary import Slot

Follower = Callable[[Sequence[Slot]], None]  # is given the slots whenever they have changed


@dataclass(frozen=True)
class LaunchConfig:
    """The limits, the books and the callbacks of a launch."""

    max_retries: int = 0
    acquire: float = math.inf  # seconds without a slot for any job, after which it ends
    stopping: threading.Event = field(default_factory=threading.Event)  # once set, it ends
    meter: Meter = field(default_factory=lambda: Meter(Caps()))  # which ends it at a cap
    ledger: Ledger = field(default_factory=lambda: Ledger(()))  # kept in the store once a second, as is `seconds_left`
    seconds_left: Callable[[], float | None] = lambda: None
    listeners: Sequence[Listener] = ()
    followers: Sequence[Follower] = ()  # of slots that come and go
    hint: Callable[[str], None] = lambda text: None  # is given sentences
