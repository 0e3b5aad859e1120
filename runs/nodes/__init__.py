"""Node types: functions of a ``NodeContext`` that know no rows, no requests and no engine. Most are pure; those that
reach outside (``http``, ``llm``, ``command``) go by what the operator allows.
"""
