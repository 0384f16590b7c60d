"""How to run kafka-go: our program in Go, built against its module."""

from pathlib import Path

from compat.golang import programs

CLIENT = programs.client("kafka-go", Path(__file__).resolve().parent)
