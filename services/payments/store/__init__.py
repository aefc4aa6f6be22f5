"""Every SQL statement of payments, by table family. Takes a connection, never commits."""
