"""Data synchronization solutions (DI_SOLUTION): a view over one real-time task, and what they own.

docs/decisions/2026-11-25-solutions.md says why there is nothing else.
"""
