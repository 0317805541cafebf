package planted

// plantsInTheTrail break the reading, following, exporting and summing up of a log.
var plantsInTheTrail = []plant{
	{
		name:  "a reader that begins behind the end waits for ever",
		edits: []edit{{"eventlog/reader.go", "errors.Is(err, io.EOF) && r.since > r.written+1", "errors.Is(err, io.EOF) && r.since > r.written+1 && false"}},
		pkg:   "eventlog", test: "TestReaderAt_AgreesWithReadingFromTheBeginning",
	},
	{
		name:  "a trail does not look up the jobs before its beginning",
		edits: []edit{{"queue/names.go", "return n.lookUp(ctx, key)", "return name{}, nil"}},
		pkg:   "queue", test: "TestTrail_NamesTheJobsWhereverItBegins",
	},
	{
		name:  "an event filter takes the end of a span for its outside",
		edits: []edit{{"queue/eventfilter.go", "f.To.Position != 0 && r.At.Position > f.To.Position:", "f.To.Position != 0 && r.At.Position >= f.To.Position:"}},
		pkg:   "queue", test: "TestEventFilter_ASpanIncludesItsEnds",
	},
	{
		name:  "statistics forget that a retry is due later",
		edits: []edit{{"stats/stats.go", "j.due = e.NextAttemptAt", "j.due = r.At.Time"}},
		pkg:   "stats", test: "TestStats_AgreesWithLookingBack",
	},
	{
		name:  "percentiles are those of the bucket's beginning",
		edits: []edit{{"stats/histogram.go", "return low + 1<<shift/2", "return low"}},
		pkg:   "stats", test: "TestHistogram_AgreesWithSorting",
	},
}
