"""A card is written once for a model and its data, under a name that both digests make; writing it again is no change.

README.md comes last, so where it is, the figures that it shows are. This module does not know what a card says.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from windlass.operators.errors import MetadataError
from windlass.operators.training.card.content import Card, card_of
from windlass.operators.training.card.figures import CLASSES_MAX, confusion_matrix, loss_curve
from windlass.operators.training.card.markdown import CONFUSION_FILE, LOSS_FILE, page
from windlass.operators.training.files import replace_file
from windlass.operators.training.metadata.store import MetadataStore

__all__ = ("PAGE_FILE", "card_files", "card_folder", "write_card")

PAGE_FILE: Final = "README.md"
_DIGITS: Final = 20


def card_files(card: Card) -> Mapping[str, bytes]:
    """The files of a card by name, README.md last. Pure: equal cards give equal bytes (A13)."""
    figures = {}
    if card.curve:
        figures[LOSS_FILE] = loss_curve(card.curve)
    labels, counts = card.confusion_labels, card.confusion_counts
    if labels and counts and len(labels) <= CLASSES_MAX and {len(row) for row in counts} == {len(labels)}:
        figures[CONFUSION_FILE] = confusion_matrix(labels, counts)
    files = {name: text.encode() for name, text in sorted(figures.items())}
    return files | {PAGE_FILE: page(card, figures=figures).encode()}


def card_folder(root: Path, card: Card) -> Path:
    """Where the card of this model and this data lies."""
    told = f"{card.sha256}|{card.dataset_sha256}|{card.run_id}"
    return root / hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]


def write_card(store: MetadataStore, model_id: str, root: Path) -> Path:
    """Write the card of a recorded model below `root` and return the path of its page. Blocks.

    Raises MetadataError as `card_of` does, and with the reason MetadataUnreachable when the folder cannot be written.
    """
    card = card_of(store, model_id)
    folder = card_folder(root, card)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in card_files(card).items():
            path = folder / name
            if not path.exists() or path.read_bytes() != content:
                replace_file(path, content)
    except OSError as error:
        why = f"the card of {card.name!r} cannot be written into {folder}: {error.strerror or error}"
        raise MetadataError(why, reason="MetadataUnreachable") from error
    return folder / PAGE_FILE
