"""The pages say what the files say, and link to what exists."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
INCLUDED = re.compile(r"<!-- (\S+\.py) -->\n```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def included_files():
    for page in PAGES:
        for name, code in INCLUDED.findall(page.read_text()):
            yield pytest.param(page, name, code, id=f"{page.name}-{name}")


@pytest.mark.parametrize(("page", "name", "code"), list(included_files()))
def test_a_program_shown_in_a_page_is_the_file_that_the_tests_run(page, name, code):
    assert code == (page.parent / name).read_text()


def test_the_tutorial_and_the_readme_show_their_programs():
    assert {page.name for page in PAGES if INCLUDED.search(page.read_text())} >= {"README.md", "first-operator.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page):
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert broken == []
