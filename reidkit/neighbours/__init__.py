"""Exact nearest neighbours behind one function; every back end gives the same answer."""

from reidkit.neighbours.rows import checked_rows, is_unit
from reidkit.neighbours.search import BACKENDS, nearest, neighbour_lists

__all__ = ["BACKENDS", "checked_rows", "is_unit", "nearest", "neighbour_lists"]
