"""What people do at the doors: a maker's or checker's act and its answer, once per Idempotency-Key, in one transaction.

A module for each module of `api`; the work itself is done by the use cases beside this folder.
"""
