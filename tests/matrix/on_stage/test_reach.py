"""Every pair of a role and an operation in docs/roles.md can be exercised by somebody."""
