"""The test suite's one plugin; it lives in tests/notebook_plugin and closes the gaps of nbval."""

pytest_plugins = ["notebook_plugin"]
