"""Deploy projects to servers you own: an MCP server and a CLI over the same use cases."""

__version__ = "0.1.0"
