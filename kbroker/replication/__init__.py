"""Partitions on this node: who leads, what is committed, what is seen.

Exists so that handlers and coordinators append and read without knowing about
epochs, in-sync replicas or flushes. Must never know a request, a connection
or how anybody waits.
"""
