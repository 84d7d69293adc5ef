"""The structure of the code: no circles, neither of folders nor of files, and a light core."""

import subprocess
import sys

import pytest
from structure import PACKAGES, Structure, circle, structure


@pytest.mark.parametrize("package", PACKAGES)
def test_neither_folders_nor_files_import_each_other_in_a_circle(package):
    built = structure(package)
    assert len(built.arrows) > 10  # else nothing was read
    assert circle(built.folders) == []
    assert circle(built.arrows) == []


def test_a_circle_of_folders_is_found_where_no_files_form_one():
    arrows = {"scalectl.p.a.x": {"scalectl.p.b.x"}, "scalectl.p.b.x": set(), "scalectl.p.b.y": {"scalectl.p.a.x"}}
    made = Structure({module: frozenset(imported) for module, imported in arrows.items()})
    assert circle(made.arrows) == []
    assert sorted(set(circle(made.folders))) == ["scalectl.p.a", "scalectl.p.b"]
    assert max(made.floors.values()) == 3


def test_floors_are_counted_from_the_ground():
    made = Structure({"s.p.a": frozenset({"s.p.b"}), "s.p.b": frozenset({"s.p.c"}), "s.p.c": frozenset()})
    assert made.floors == {"s.p.a": 3, "s.p.b": 2, "s.p.c": 1}
    assert str(made) == "3 files, 2 arrows, 3 floors"


LIGHT = ("trainer.spec", "trainer.identity", "trainer.events", "trainer.failures", "trainer.flops", "trainer.hardware")
LIGHT += (
    "trainer.data.registry",
    "analysis.vocabulary",
    "analysis.printable",
    "orchestrator.vocabulary",
    "orchestrator.errors",
)


@pytest.mark.parametrize("module", LIGHT)
def test_what_every_room_may_say_loads_the_standard_library_alone(module):
    code = f"import sys; before = {{*sys.modules}}; import scalectl.{module}; print(*{{*sys.modules}} - before)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert f"scalectl.{module}" in loaded
    assert {name.split(".")[0] for name in loaded} <= {"scalectl", *sys.stdlib_module_names}
