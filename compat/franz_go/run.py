"""How to run franz-go: our program in Go, built against its modules."""

from pathlib import Path

from compat.golang import programs

CLIENT = programs.client("franz-go", Path(__file__).resolve().parent)
