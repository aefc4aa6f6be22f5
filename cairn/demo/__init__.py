"""The demo: the whole path on real engines, with outside parties that use public doors alone."""
