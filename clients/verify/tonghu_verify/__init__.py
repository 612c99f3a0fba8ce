"""Check an export of Tonghu's audit against checkpoints, without its database or its code."""
