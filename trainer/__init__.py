"""One job: a Job in, a stream of events out."""

from scalectl.trainer.environment import note_start

note_start()
