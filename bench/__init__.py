"""Measurements that anybody can repeat: `make bench`. Each runs beside what it is compared with, on the same machine."""
