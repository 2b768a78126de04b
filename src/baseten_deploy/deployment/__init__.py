"""One deployment from the Truss to the end of its life: put together, pushed, waited for, retired.

What it must answer is `checks`; which environment serves it is `environment`; what would happen without doing it is
`planning`.
"""
