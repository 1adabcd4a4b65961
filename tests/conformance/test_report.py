"""The page that lists the cases is current, and the table of absences names nothing that is not there."""

from pathlib import Path

from conformance import report
from conformance.absences import ABSENT

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"


def test_the_page_lists_the_cases_of_the_suite():
    assert PAGE.read_text() == report.page(report.cases(), {})


def test_every_absence_is_that_of_a_case():
    known = {one.name for one in report.cases()} | {f"{one.name}[{one.row}]" for one in report.cases()}
    assert ABSENT.keys() <= known


def test_the_suite_has_at_least_the_promised_number_of_cases():
    assert len(report.cases()) >= 250
