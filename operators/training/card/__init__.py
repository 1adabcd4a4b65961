"""Model cards: a page for people and catalogues, made of recorded metadata alone, and the same bytes each time (A13).

`content` reads the store, `markdown` and `frontmatter` write the page, `figures` draw, `folder` puts all of it on the
disk.
"""

__all__ = ()
