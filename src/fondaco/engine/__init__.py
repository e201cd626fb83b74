"""The single writer round the machine: sequencer, journal, recovery, leader, follower, and the client to it.

What decides is plain code without I/O (`sequencer`, `journal`, `door`), so that a simulation drives the very same with
a clock, a store and a network of its own; `leader`, `follower` and `node` are thin shells that do the waiting.
"""
