"""Exact nearest neighbours behind one function; every back end gives the same answer."""

from reidkit.neighbours.processes import Processes
from reidkit.neighbours.rows import checked_rows, is_unit
from reidkit.neighbours.search import BACKENDS, nearest, neighbour_lists

__all__ = ["BACKENDS", "Processes", "checked_rows", "is_unit", "nearest", "neighbour_lists"]
