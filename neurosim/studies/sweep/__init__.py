"""Design-space exploration: from a study file to a Pareto front. What it does and promises: docs/sweeps.md.

factors -> study (what is asked) -> check (what can never run) -> plan (which points, in which order) -> simulate (what a worker does)
-> executors (where) -> store (results in SQLite) -> sweep (the loop that ties them); search (Optuna), pruning (who is hopeless),
measures (what is judged), watch (the live table); tables -> page, report (what it came to).
"""
