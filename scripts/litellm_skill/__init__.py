"""What the scripts share: one noun a module; imports run one way (see AGENTS.md)."""
