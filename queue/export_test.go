package queue

// For tests of what depends on workers that died, or on what came in between.
var (
	ExplainState = View.explain
	Quote        = (*Explanation).quote
)
