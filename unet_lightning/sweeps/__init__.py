"""Many runs: the jobs of a sweep, where they run, and how a search proposes them."""
