"""The gate's searches at the sizes of a night: `python -m tests.night`."""
