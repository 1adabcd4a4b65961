"""Whatever a text holds, a reader of the page sees that text and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from windlass.operators.training.card.escaping import NOT_PROVIDED, inline, prose, visible

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NASTY = st.text(
    alphabet=st.sampled_from(list("\\`*_[]()<>#+-.!|~&:;\"'={}$@/ \t\r\n\u202e\x00\x85") + list("ab19é")), max_size=30
)


def shown(markdown):
    """The words that a reader sees, and the kinds of everything that is not words."""
    words, kinds = [], set()
    for token in MARKDOWN.parse(markdown):
        kinds.add(token.type)
        for child in token.children or ():
            if child.type in ("text", "text_special"):
                words.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                words.append(" ")
            else:
                kinds.add(child.type)
    return "".join(words), kinds


def words_of(text):
    return " ".join(visible(text).split())


@given(NASTY)
def test_in_a_cell_every_text_is_text(text):
    found, kinds = shown(f"| a | b |\n| --- | --- |\n| {inline(text)} | end |")

    assert found == f"ab{words_of(text) or NOT_PROVIDED}end"
    assert kinds == {
        f"{part}_{end}" for part in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")
    } | {"inline"}


@given(NASTY)
def test_in_a_heading_every_text_is_text(text):
    found, kinds = shown(f"# {inline(text)}\n")

    assert found == (words_of(text) or NOT_PROVIDED)
    assert kinds == {"heading_open", "inline", "heading_close"}


@given(NASTY)
def test_as_prose_every_text_is_paragraphs_of_text(text):
    found, kinds = shown(f"before\n\n{prose(text)}\n\nafter")

    assert kinds == {"paragraph_open", "inline", "paragraph_close"}
    seen = found.removeprefix("before").removesuffix("after")
    assert seen.replace(" ", "") == (words_of(text).replace(" ", "") or NOT_PROVIDED.replace(" ", ""))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "![x](http://example.com/x.png)",
        "a | b\n| c |",
        "---\nlicense: mit\n---",
        "# heading",
        "1. one\n2) two",
        "- a\n+ b\n* c",
        "    four spaces",
        "> quote",
        "```\ncode\n```",
        "&lt;b&gt; &#60;",
        "title\n=====",
        "[ref]: http://example.com",
        "\\*kept\\*",
        "a  \nb\\\nc",
    ],
)
def test_markup_is_shown_and_not_obeyed(text):
    found, kinds = shown(prose(text))

    assert kinds <= {"paragraph_open", "inline", "paragraph_close"}
    assert found.replace(" ", "") == words_of(text).replace(" ", "")


def test_paragraphs_stay_paragraphs():
    assert prose("one\ntwo\n\n\n\nthree") == "one\ntwo\n\nthree"


def test_what_cannot_be_seen_is_marked():
    assert visible("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert inline(" \n ") == prose("\n\n") == NOT_PROVIDED
