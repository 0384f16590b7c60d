"""One file per API: authorise, validate, delegate, shape the answer.

Handlers are synchronous. `handle(request, context)` returns the response,
a `Pending` that the edge completes, or None where nothing is answered.
They must never know trio, sockets or files: whatever they reach is in
`context.Services`.
"""
