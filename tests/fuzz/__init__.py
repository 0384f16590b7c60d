"""Coverage-guided fuzzing (X5): targets that take any bytes, and their seeds.

The gate (`test_targets.py`) mutates the seeds blindly, some hundred times.
The night (`python -m tests.night --only x5`) gives the same targets to
atheris, which looks for inputs that reach new code. Nothing here is slow or
random by itself.
"""
