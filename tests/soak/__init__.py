"""Long runs under load: what grows, leaks or wears out. The short form is part of every run."""
