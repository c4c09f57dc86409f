"""The replication ledger, what it is made from, and how far it depends on choices."""
