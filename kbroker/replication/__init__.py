"""The partitions this node hosts: who leads, what is committed, what a fetch may see.

Exists so that handlers and coordinators append and read without knowing about
epochs, in-sync replicas or flushes. Must never know a request, a connection
or how anybody waits.
"""
