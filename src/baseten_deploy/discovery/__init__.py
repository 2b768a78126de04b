"""`mode: discover`: the Trusses of a repository, and which of them differ from what is live.

`search` finds them, `reading` reads and checks each, `comparison` asks what is live, at a `pace` that the service
takes, `page` says it, `discover` is the run. Changes nothing, and packs nothing: how a Truss is read is `truss`, what
is live `planning`.
"""
