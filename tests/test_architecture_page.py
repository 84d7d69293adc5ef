"""docs/architecture.md is one page whose paths exist, and docs/decisions/ has a reason for every dependency."""

import re
import tomllib

from pages import DOCS, ROOT, paths

PAGE = (DOCS / "architecture.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
ADDITIONS = re.findall(r"^\| (an? [a-z ]+) \| (.*) \|$", SECTIONS["To add something"], re.M)
READING = re.findall(r"^\d+\. `(\S+)`", SECTIONS["Ten files to read first"], re.M)


def test_it_is_one_page():
    assert len(PAGE.split()) < 900


def test_the_table_has_the_ten_things_that_people_add():
    kinds = "verb, key of the recipe, source of images, schedule, metric, law, "
    kinds += "cluster backend, exporter, figure, failure kind"
    assert [addition.partition(" ")[2] for addition, _ in ADDITIONS] == kinds.split(", ")


def test_every_file_of_the_table_exists():
    files = [file for _, cell in ADDITIONS for file in re.findall(r"`(\S+)`", cell)]
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_ten_files_to_read_first_exist():
    assert len(READING) == 10
    assert [file for file in READING if not (ROOT / file).exists()] == []


def test_the_picture_shows_every_folder_of_modules():
    folders = {path.parent.name for path in paths()}
    assert folders - set(re.findall(r"[a-z]+", SECTIONS["The rooms"])) == set()


def test_it_leads_to_every_decision():
    decisions = {path.name for path in (DOCS / "decisions").glob("*.md")}
    assert decisions - set(re.findall(r"\(decisions/(\S+\.md)\)", PAGE)) == set()


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (DOCS / "decisions" / "dependencies.md").read_text()
    table = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", page, re.M)
    reasons = {name for cell in table for name in cell.split(", ")}
    names = {re.split(r"[>=<\[ ;]", requirement)[0] for requirement in project["dependencies"]}
    assert names == reasons - {"package", "---"}
