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
	{
		name:  "a moment is before a commit of its own time",
		edits: []edit{{"queue/moment.go", "!at.When().After(m.Time)", "at.When().Before(m.Time)"}},
		pkg:   "queue", test: "TestReplay_ToMeansTheLastCommitThatWasNotMadeLater",
	},
	{
		name:  "a difference is seen only where an event names the job",
		edits: []edit{{"queue/diff.go", "d.touch(j.Key)", "_ = j"}},
		pkg:   "queue", test: "TestDiffTo_ForgottenJobsAreGone",
	},
	{
		name:  "a history ends when the job is dead",
		edits: []edit{{"queue/history.go", " && b.state != job.Dead", ""}},
		pkg:   "queue", test: "TestAttempts_TellHowEachRunWent",
	},
	{
		name:  "a history of the past goes on after the moment",
		edits: []edit{{"queue/history.go", "if at.Position == b.through {", "if false {"}},
		pkg:   "queue", test: "TestHistory_IsEveryEventOfTheJob",
	},
	{
		name:  "a story counts a lost run as an attempt",
		edits: []edit{{"queue/attempts.go", "if a.Outcome == OutcomeFailed || ", "if a.Outcome == OutcomeLost || a.Outcome == OutcomeFailed || "}},
		pkg:   "queue", test: "TestAttempts_TellHowEachRunWent",
	},
	{
		name:  "an explanation believes in workers that are dead",
		edits: []edit{{"queue/explainstate.go", "live := those(workers, alive)", "live := workers"}},
		pkg:   "queue", test: "TestExplain_DeadWorkersCountForNothing",
	},
	{
		name:  "an explanation counts only those that come first and are in memory",
		edits: []edit{{"queue/explainstate.go", "v.state.LoadLive()", "_ = v.state.LoadLive"}},
		pkg:   "queue", test: "TestExplain_OfAQueueThatRestsOnASnapshot",
	},
	{
		name:  "jobs that are not due come first",
		edits: []edit{{"scheduler/next.go", "!it.ready && it.due > now ||", ""}},
		pkg:   "scheduler", test: "TestBefore_IsWhatIsTakenFirst",
	},
}
