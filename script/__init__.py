"""The script language: text to tree to checked piece."""
