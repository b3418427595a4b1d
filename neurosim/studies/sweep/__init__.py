"""Design-space exploration: from a study file to a Pareto front. What it does and promises: docs/sweeps.md.

factors -> study (what is asked) -> plan (which points, in which order) -> simulate (what a worker does) -> executors (where) ->
store (results in SQLite) -> sweep (the loop that ties them); search (Optuna), measures (what is judged), watch (the live table).
"""
