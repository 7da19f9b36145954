"""Contestants whose faults are known; the arena's children import them by name."""

import time

import numpy as np


def honest(inputs):
    """Takes 200 MB for a moment, and says so only through the peak."""
    work = np.ones(50_000_000, np.float32)
    return {"labels": inputs["features"].argmax(axis=1), "seconds of a part": float(work[0]), "name": "honest"}


def wrong(inputs):
    labels = inputs["features"].argmax(axis=1)
    labels[3] += 1
    return {"labels": labels}


def too_few(inputs):
    return {"labels": inputs["features"].argmax(axis=1)[:-1]}


def vandal(inputs):
    """Writes into what the others read too."""
    inputs["features"][:] = 0
    return {"labels": inputs["features"].argmax(axis=1)}


def broken(inputs):
    raise ValueError("this one never works")


def endless(inputs):
    time.sleep(600)
    return {}


def heavy_preparation(inputs):
    """Memory and time of what comes before do not count."""
    np.ones(100_000_000, np.float32).sum()
    time.sleep(0.5)
    return inputs["features"]


def light(prepared):
    return {"rows": len(prepared)}


def sum_afterwards(inputs, outputs):
    return {"total": float(inputs["features"].sum()) + outputs["rows"]}
