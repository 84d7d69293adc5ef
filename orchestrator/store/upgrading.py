"""Bringing the tables, rows and views of an older store to those of today."""

from sqlalchemy import Connection, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from scalectl.orchestrator.slot_types import devices_of
from scalectl.orchestrator.store.soundness import missing_object
from scalectl.orchestrator.store.tables import attempts, schema, studies
from scalectl.orchestrator.store.views import create_views, views_are_ours

VERSION = 12  # of the tables and views; raised with every change to them

# Until version 5 the kind of a job and the name of its run were parts of the job's name, which the next plan replaced:
# an attempt that came to steps before the last one was no evaluation.
_JOBS = """
UPDATE jobs SET
  kind = CASE
    WHEN run IS NULL THEN 'trunk'
    WHEN name LIKE '% evaluation' THEN 'evaluation'
    WHEN start > 0 THEN 'cooldown'
    ELSE 'training'
  END,
  run_name = CASE
    WHEN run IS NULL THEN substr(name, 1, instr(name, ' trunk ') - 1)
    ELSE (SELECT runs.name FROM runs WHERE runs.number = jobs.run)
  END
"""
_ATTEMPTS = """
UPDATE attempts SET
  job_kind = (
    SELECT CASE
      WHEN jobs.kind = 'evaluation' AND attempts.first_step < jobs.stop THEN iif(jobs.start > 0, 'cooldown', 'training')
      ELSE jobs.kind
    END
    FROM jobs WHERE jobs.id = attempts.job
  ),
  slot_type = iif(instr(slot, '/') > 0, substr(slot, 1, instr(slot, '/') - 1), 'cpu')
"""

# Until version 6 a run was listed by the one study that had planned it last, if that study's last plan had it.
_MEMBERS = "INSERT OR IGNORE INTO members (study, run) SELECT study, number FROM runs WHERE listed"

# Until version 7 nothing said how many test images a value rests on: all that its data set, or its run's, holds out.
_TEST_IMAGES = """
UPDATE measurements SET test_images = coalesce(
  iif(json_valid(settings), json_extract(settings, '$.data.held_out'), NULL), runs.held_out
) FROM runs WHERE runs.number = measurements.run AND measurements.step = runs.steps
"""

# Until version 11 a run had the name of its model in the study that had planned it last.
_MODELS = "UPDATE members SET model = (SELECT model FROM runs WHERE runs.number = members.run)"

# Until version 11 every slot counted as one device; the type of the slot that a run ended on tells how many it had, and
# of the checkpoints of a job that of its last attempt.
_RUN_DEVICES = """
UPDATE runs SET devices = :devices WHERE number IN (
  SELECT jobs.run FROM jobs JOIN attempts ON attempts.job = jobs.id
  WHERE attempts.slot_type = :type AND attempts.id IN (
    SELECT min(attempts.id) FROM jobs JOIN attempts ON attempts.job = jobs.id
    WHERE attempts.state = 'done' AND attempts.job_kind <> 'evaluation' GROUP BY jobs.run
  )
)
"""
_CORE_SECONDS = """
UPDATE checkpoints SET core_seconds = device_seconds * :devices WHERE job IN (
  SELECT job FROM attempts WHERE slot_type = :type AND id IN (
    SELECT max(id) FROM attempts WHERE job_kind <> 'evaluation' GROUP BY job
  )
)
"""


def _count_devices(connection: Connection) -> None:
    for slot_type in connection.scalars(select(attempts.c.slot_type).distinct()).all():
        counted = {"type": slot_type, "devices": devices_of(slot_type)}
        for statement in (_RUN_DEVICES, _CORE_SECONDS):
            connection.execute(text(statement), counted)


def _keep_laws(connection: Connection) -> None:
    """Give each study the laws of its file, which is all that is known of them: versions before 6 kept no overrides."""
    from scalectl.orchestrator.store.fits import fits_of_document, of_fits  # which status needs for no store of its own

    for number, document in connection.execute(select(studies.c.number, studies.c.document)).all():
        fits = of_fits(fits_of_document(document))
        connection.execute(update(studies).where(studies.c.number == number).values(fits=fits))


def upgrade(connection: Connection) -> None:
    """Bring the tables, rows and views of an older store to VERSION."""
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if version == VERSION and not missing_object(connection) and views_are_ours(connection):
        return
    schema.create_all(connection)
    for table in schema.sorted_tables:
        known = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                declared = CreateColumn(column).compile(connection)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {declared}")
    if version < 6:
        connection.exec_driver_sql(_JOBS)
        connection.exec_driver_sql(_ATTEMPTS)
        _keep_laws(connection)
    if version < 7:
        connection.exec_driver_sql(_MEMBERS)
    if version < 8:
        connection.exec_driver_sql(_TEST_IMAGES)
    if version < 11:
        connection.exec_driver_sql(_MODELS)
        _count_devices(connection)
    create_views(connection)
    connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
