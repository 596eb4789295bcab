"""The pure state model: servers, replication, jobs and launches on a virtual clock, without any input or output."""
