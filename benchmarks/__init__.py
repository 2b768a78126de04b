"""Side by side with the peers: `make bench`. What is compared, and how, is docs/benchmarks.md."""
