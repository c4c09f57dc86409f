"""Made-up returns in the official layouts, with a known truth: nothing is about any real council's care."""
