"""Comparisons of source and target that are asked for, carried out in a process of their own, and looked at."""
