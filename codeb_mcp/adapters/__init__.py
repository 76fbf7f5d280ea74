"""One real system each. Nothing here decides; it observes and carries out."""
