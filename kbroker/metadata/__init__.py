"""Cluster metadata: immutable images made by replaying records.

Why a room of its own: the controller decides, every broker only replays. Both
look at the same image. It must never know who wrote a record, how the log is
stored or what anybody does with the image.
"""
