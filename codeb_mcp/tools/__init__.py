"""MCP tools: arguments in, one use case, a result out."""
