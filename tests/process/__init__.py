"""The product as an operator runs it: real server processes, killed and stopped and started again."""
