"""KRaft: who leads the metadata quorum, and what of its log is committed.

Why a room of its own: the rules of votes, epochs and high watermark know
nothing of what the log says. Events come in with the time, effects go out as
values. This room must never know metadata records, files or sockets.
"""
