package planted

// plantsInSchedules break schedules and their ticks.
var plantsInSchedules = []plant{
	{
		name:  "a tick that a clock leaves out comes at a time before it",
		edits: []edit{{"scheduler/cron/zone.go", "return max(moment, from)", "return moment"}},
		pkg:   "scheduler/cron", test: "TestNext_WhenTheClockIsSet",
	},
	{
		name:  "a tick that was decided is decided again when the clock is set back",
		edits: []edit{{"decide/cron.go", "if last.After(after) {", "if false {"}},
		pkg:   "decide", test: "TestTick_AClockThatIsSetBackTicksNothingTwice",
	},
	{
		name:  "a tick makes a job beside one that has not ended",
		edits: []edit{{"decide/tick.go", "if r.e.Overlap == job.OverlapSkip && r.active {", "if false {"}},
		pkg:   "decide", test: "TestTick_OverlapSkips",
	},
	{
		name:  "a tick of one schedule keeps those of another waiting",
		edits: []edit{{"decide/tick.go", "max(1, maxTicks/len(due))", "maxTicks"}},
		pkg:   "decide", test: "TestTick_ManySchedulesShareACommit",
	},
	{
		name:  "a tick that is skipped does not say since when",
		edits: []edit{{"decide/tick.go", "e.Since = first.UnixNano()", "_ = first"}},
		pkg:   "queuetest", test: "TestTicks_OnceWhateverRestarts",
	},
	{
		name:  "a tick that has come is left when nothing else is to be done",
		edits: []edit{{"queue/until.go", "case w.ticksNow(g), w.expiresNow(g):", "case w.expiresNow(g):"}},
		pkg:   "queue", test: "TestRun_UntilEmptyMakesTheTicksThatHaveCome",
	},
	{
		name:  "a tick changes its place in the heap and nobody notices",
		edits: []edit{{"projection/cron.go", "heap.Fix(&c.ticks, s.place)", "_ = s.place"}},
		pkg:   "projection", test: "TestDueCrons_AgreesWithALookAtAll",
	},
	{
		name:  "nothing is begun while there are ticks to be made",
		edits: []edit{{"queue/worker.go", "if ticked = !ticked && w.ticksNow(g)", "if ticked = w.ticksNow(g)"}},
		pkg:   "queue", test: "TestRun_JobsRunWhileMissedTicksAreMade",
	},
}
