"""Record batches: header, records, codecs, checks of what clients send.

Pure: bytes in, bytes or objects out. The hot path reads the 61-byte header
and nothing else; records are walked only where the header can't decide. This
room must never know of files, offsets handed out or who leads a partition.
"""
