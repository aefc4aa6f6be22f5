"""Every SQL statement of notifications, by table family. A function takes a connection and never commits."""
