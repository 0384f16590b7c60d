"""The controller: decisions about the cluster, as metadata records.

Why a room of its own: every decision is made in one place, one at a time, on
one image. An operation reads the image and returns records and a response; it
changes nothing. Only replaying the records does. This room must never know
how records become durable, who waits for the answer, or what a broker does
with the new image.
"""
