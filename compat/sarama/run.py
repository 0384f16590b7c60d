"""How to run sarama: our program in Go, built against its module."""

from pathlib import Path

from compat.golang import programs

CLIENT = programs.client("sarama", Path(__file__).resolve().parent)
