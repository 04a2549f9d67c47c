"""How long blocks take on this machine, beside a run of before."""
