"""JSON documents and what happens to them: pointers, patches, differences, merges. Pure: no rows, no I/O."""
