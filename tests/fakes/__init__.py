"""Stand-ins for the world: a disk in memory, a clock by hand, seeded chance."""
