"""`python -m codeb_mcp.cli`."""

from codeb_mcp.cli import main

if __name__ == "__main__":
    main()
