package planted

// plantsInCosts make slower what is done often.
var plantsInCosts = []plant{
	{
		name:  "an append looks again for what it has seen is not there",
		edits: []edit{{"eventlog/dirread.go", "return size > 0 && !s.tail.last, nil", "return size > 0, nil"}},
		pkg:   "eventlog", test: "TestAppend_MakesFewSystemCalls", only: "linux",
	},
	{
		name:  "folding a log decodes what stays encoded",
		edits: []edit{{"projection/fold.go", "if kind == job.KindJobEnqueued {", "if kind == 0 {"}},
		pkg:   "decide", test: "TestFoldRaw_AllocatesLittle",
	},
}
