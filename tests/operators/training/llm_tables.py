"""Tables of questions about made-up islands, and how a tiny model is tuned on them."""

from arro3.core import Array, DataType, Table
from deltalake import write_deltalake

from windlass.operators.training.dataversion import resolve
from windlass.operators.training.llm.config import Settings

ISLANDS = ("aland", "borneo", "crete", "delos", "euboea", "faroe")
SETTINGS = Settings(
    epochs=3,
    batch_size=4,
    learning_rate=0.05,
    rank=4,
    alpha=8.0,
    dropout=0.1,
    max_length=64,
    warmup_steps=2,
    gradient_clip=1.0,
    checkpoint_steps=4,
)


def write_texts(path, rows, **columns):
    made = {name: Array(list(values), DataType.string()) for name, values in columns.items()}
    write_deltalake(str(path), Table.from_pydict({"row": Array(list(rows), DataType.int64()), **made}))
    return resolve(str(path), "latest")
