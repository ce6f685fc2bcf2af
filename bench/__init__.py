"""Measurements that anybody can repeat (`make bench`), each beside what it is compared with, in the same run."""
