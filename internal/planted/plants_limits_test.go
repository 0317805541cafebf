package planted

// plantsInLimits break what holds queues and keys back.
var plantsInLimits = []plant{
	{
		name:  "a paused queue is claimed from",
		edits: []edit{{"projection/queues.go", "if g.paused != 0 || ", "if "}},
		pkg:   "decide", test: "TestPauseQueues_NothingIsClaimedUntilResume",
	},
	{
		name:  "a queue runs one job more than it may",
		edits: []edit{{"projection/queues.go", "running >= int(g.limits.Concurrency)", "running > int(g.limits.Concurrency)"}},
		pkg:   "decide", test: "TestLimitQueue_ConcurrencyCountsWhatRuns",
		also: "queue TestSimulation_WorkersRunEachJobOnceAtATime",
	},
	{
		name:  "a rate lets one job more begin",
		edits: []edit{{"projection/queues.go", "each*int64(max(1, g.limits.Rate)-1)", "each*int64(g.limits.Rate)"}},
		pkg:   "decide", test: "TestLimitQueue_RateIsABucket",
	},
	{
		name:  "a bucket holds more than it can",
		edits: []edit{{"projection/queues.go", "min(max(g.bucket, now)+each, now+full)", "min(g.bucket+each, now+full)"}},
		pkg:   "decide", test: "TestLimitQueue_RateIsABucket",
	},
	{
		name:  "a rate waits for a clock that was set back",
		edits: []edit{{"decide/decide.go", "if s.Jobs.LastTime() < before {", "if false {"}},
		pkg:   "decide", test: "TestLimitQueue_NothingWaitsForAClockThatWasSetBack",
	},
	{
		name:  "a job whose key is taken is claimed",
		edits: []edit{{"scheduler/gate.go", " && s.key.runs == 0)", ")"}},
		pkg:   "decide", test: "TestConcurrencyKey_OneJobOfAKeyRuns",
		also: "queue TestSimulation_WorkersRunEachJobOnceAtATime",
	},
	{
		name:  "a run that was lost keeps its key",
		edits: []edit{{"projection/queues.go", "} else if r.keyed {", "} else if r.keyed && r.state != job.Pending {"}},
		pkg:   "decide", test: "TestConcurrencyKey_OneJobOfAKeyRuns",
	},
	{
		name:  "named queues are not served in turn",
		edits: []edit{{"scheduler/next.go", "if x.served != y.served {", "if false {"}},
		pkg:   "decide", test: "TestClaim_NamedQueuesAreServedInTurn",
	},
	{
		name:  "a state from a snapshot does not know which keys are taken",
		edits: []edit{{"decide/decide.go", "s.Timeline.Take(key)", "_ = key"}},
		pkg:   "projection", test: "TestLoadLive_KnowsWhatHoldsJobsBack",
	},
	{
		name:  "a state from a snapshot does not know whose turn it is",
		edits: []edit{{"decide/decide.go", "s.Timeline.Served(name, run)", "_, _ = name, run"}},
		pkg:   "projection", test: "TestLoadLive_KnowsWhatHoldsJobsBack",
	},
	{
		name:  "a state from a snapshot opens all queues",
		edits: []edit{{"decide/decide.go", "	}\n	s.shutAll()\n}\n\n// shutAll", "	}\n}\n\n// shutAll"}},
		pkg:   "projection", test: "TestBase_FoldedLoadedAndLivedStatesAreEqual",
	},
	{
		name:  "a queue that gets its first job is not among those that will open",
		edits: []edit{{"scheduler/timeline.go", "if q.jobs += n; q.opens != 0 && q.jobs <= 1 {", "if q.jobs += n; q.opens == 1 {"}},
		pkg:   "scheduler", test: "TestTimeline_AgreesWithASortedSlice",
	},
	{
		name:  "an idle worker does not wake when a rate allows one job more",
		edits: []edit{{"scheduler/next.go", "due = t.nextOpening(0, &l, due)", "_ = t.nextOpening"}},
		pkg:   "queue", test: "TestRun_WakesWhenTheRateAllowsOneMore",
	},
	{
		name:  "a worker leaves what comes after the jobs of another worker",
		edits: []edit{{"queue/until.go", "if w.lanes.Serve(coming.Queue, coming.Kind) {", "if w.lanes.Serve(coming.Queue, coming.Kind) && false {"}},
		pkg:   "queue", test: "TestRun_UntilEmptyWaitsForTheParentsThatAnotherWorkerRuns",
	},
}
