"""Tonghu 童护."""

import gc

# What the program is made of is half a million objects that all stay: at the usual thresholds a
# quarter of every start goes into looking for garbage among them.
gc.set_threshold(50_000, 50, 50)
