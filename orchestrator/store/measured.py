"""The keys of the measurements, of which there are millions: each run and metric once, found by the index."""

from sqlalchemy import Connection

TABLE, KEY = "measurements", ("run", "metric", "step")
# The next of a key is the least above it: one look into the index each, where a reading of all rows takes seconds.
_PAIRS = """
WITH RECURSIVE one(run) AS (
  SELECT min(run) FROM measurements
  UNION ALL SELECT (SELECT min(run) FROM measurements WHERE run > one.run) FROM one WHERE run IS NOT NULL
), pair(run, metric) AS (
  SELECT run, (SELECT min(metric) FROM measurements WHERE run = one.run) FROM one WHERE run IS NOT NULL
  UNION ALL SELECT run, (
    SELECT min(metric) FROM measurements WHERE run = pair.run AND metric > pair.metric
  ) FROM pair WHERE metric IS NOT NULL
)
SELECT {answer} FROM pair WHERE metric IS NOT NULL AND {answer} IS NOT NULL LIMIT 1
"""
# Text and blobs come after all numbers.
ODD = """CASE
  WHEN run >= '' THEN 'run'
  WHEN metric >= '' THEN 'metric'
  WHEN (SELECT max(step) FROM measurements WHERE run = pair.run AND metric = pair.metric) >= '' THEN 'step'
END"""
MISSING = """CASE
  WHEN NOT EXISTS (SELECT 1 FROM runs WHERE number = pair.run) THEN 'runs'
  WHEN NOT EXISTS (SELECT 1 FROM metrics WHERE id = pair.metric) THEN 'metrics'
END"""


def are_keyed(connection: Connection, table: str) -> bool:
    """Whether a table is that of the measurements, with the key that this version gives it."""
    if table != TABLE:
        return False
    columns = connection.exec_driver_sql(f"PRAGMA table_info({TABLE})").all()
    return [name for place, name in sorted((place, name) for _, name, *_, place in columns) if place] == [*KEY]


def query(answer: str) -> str:
    """The SQL of the first answer to an expression on `pair.run` and `pair.metric` that is not NULL."""
    return _PAIRS.format(answer=answer)


def odd_key(connection: Connection) -> str:
    """The first column of the key that holds what is no number, or nothing."""
    return str(connection.exec_driver_sql(query(ODD)).scalar() or "")


def missing_parent(connection: Connection) -> str:
    """The table that lacks the run or the metric of a measurement, or nothing."""
    return str(connection.exec_driver_sql(query(MISSING)).scalar() or "")
