"""Makes machines.csv the next version of a Delta table that jobs can be trained on: python make_table.py TABLE."""

import sys

import pyarrow.csv
from deltalake import DeltaTable, write_deltalake

rows = pyarrow.csv.read_csv("machines.csv")
# A job wants a stable id in `row`, the class in `label`, and numbers in every other column.
rows = rows.rename_columns({"machine": "row", "state": "label"})
write_deltalake(sys.argv[1], rows, mode="overwrite")
features = ", ".join(rows.column_names[1:-1])
print(f"version {DeltaTable(sys.argv[1]).version()}: {rows.num_rows} rows, features {features}")
