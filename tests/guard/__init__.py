"""What the hot paths cost, request by request, and that no record is copied.

    python -m tests.guard             the tables; exit code 1 if something is allocated or copied too much
    python -m tests.guard --write     keep this machine's figures as the budget

A whole broker without a network: the epoll driver moves bytes between a
`Connection` and a socket that is none. What comes in is prepared, what goes
out goes to /dev/null, file regions by sendfile. Paths called "written" append
to a file; the other produces to one that forgets, so that theirs is the
broker's own CPU alone.

    CPU µs    of this process per request, the median of some batches, with the garbage collector as in
              production. The budget has a quarter of slack. Printed and never judged: clocks are noisy.
    blocks    of memory that the broker's code allocates for a request, added up bytecode by bytecode. What C
              code takes and gives back within one bytecode is not seen, nor what Python has in its free
              lists. The same each time for one version of Python, and judged: the budget's, at most.
    kept      blocks that are still there after a request, with the collector off: leaks, and circles of
              references. Judged: none.
    copied    batches, and bytes of batches, that were moved in user space. What is produced must be appended
              from the very address where the socket received it; what is fetched must leave by sendfile.
              Judged: none.
    peak      bytes that a request needs besides what was there before it. A second copy, or a buffer for a
              single batch, would show here. Judged: far less than a batch.
    known     copied for now, by name in `copies.py`; a pytest fails as soon as it is not copied any more.

The pytest judges the same, and that each measure sees what it is there for.
"""
