package planted

// plantsInThePast break what is said of recorded logs.
var plantsInThePast = []plant{
	{
		name:  "a simulation forgets how long it took to end a run",
		edits: []edit{{"simulate/recordrun.go", "asked.wait = r.clock.last - asked.at", "asked.wait = 0"}},
		pkg:   "simulate", test: "TestRun_KeepsWhatPeopleDid",
	},
	{
		name:  "a simulation forgets the attempts before its beginning",
		edits: []edit{{"simulate/script.go", "for range o.attempts {", "for range 0 {"}},
		pkg:   "simulate", test: "TestRecorder_BeginsAnywhere",
	},
	{
		name:  "a simulation lets recorded settings override those asked for",
		edits: []edit{{"simulate/script.go", "if _, given := m.scenario.Set[c.key]; given {", "if _, given := m.scenario.Set[c.key]; given && false {"}},
		pkg:   "simulate", test: "TestRun_WithMoreRetriesDrawsWhatIsNotKnown",
	},
	{
		name:  "a step of a replay does not tell of workers",
		edits: []edit{{"queue/step.go", "compare(\"worker\", id, s.workers[id], now.workers[id])", "_ = id"}},
		pkg:   "queue", test: "TestReplay_StepSaysWhatAnEventChanges",
	},
	{
		name:  "a log is shrunk by whole jobs only",
		edits: []edit{{"queuetest/shrink.go", "for before := -1; before != len(s.records); {", "for before := len(s.records); before != len(s.records); {"}},
		pkg:   "queuetest", test: "TestShrink_FindsTheFewEventsThatMatter",
	},
}
