"""Writes machines.csv: what was measured at 600 machines, and how each was found to be (0 fine, 1 worn, 2 broken)."""

import csv

import numpy as np

rng = np.random.default_rng(4)
state = rng.integers(0, 3, 600)
vibration = 2.0 + 3.0 * state + rng.normal(0, 0.7, 600)  # mm/s
temperature = 45 + 12 * state + rng.normal(0, 4, 600)  # °C
current = 11 - 1.5 * (state == 2) + rng.normal(0, 0.8, 600)  # A

with open("machines.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(("machine", "vibration", "temperature", "current", "state"))
    table.writerows(
        (number, *(f"{value:.2f}" for value in measured), found)
        for number, (*measured, found) in enumerate(zip(vibration, temperature, current, state, strict=True))
    )
print("machines.csv: 600 rows")
