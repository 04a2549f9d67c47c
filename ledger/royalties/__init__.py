"""Settles periods, states each holder's earnings, and reports on them."""
