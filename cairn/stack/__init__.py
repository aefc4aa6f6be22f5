"""The local stack: real engines and Cairn's processes on one machine, from wheels, in one data folder."""
