"""The README says what is."""

import re

from compat.bench import profiles, report
from tests.tidy.readme import README, ROOT, renewed


def test_its_tables_are_fresh() -> None:
    text = README.read_text(encoding="utf-8")
    assert renewed(text) == text, "run `python -m tests.tidy.readme --write`"


def test_the_files_it_points_to_exist() -> None:
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", README.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_what_misses_its_mark_has_a_profile() -> None:
    seen = {profile.what for profile in profiles.load()}
    assert [what for what in report.missed() if what not in seen] == []
