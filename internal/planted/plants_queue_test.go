package planted

// plantsInTheQueue break the rules, the state, and what workers do.
var plantsInTheQueue = []plant{
	// Rules.
	{
		name:  "an outcome of a run that is over is accepted",
		edits: []edit{{"decide/run.go", "b.State != job.Processing || b.Run != run {", "b.State != job.Processing {"}},
		pkg:   "decide", test: "TestFinish_OutcomeOfARunThatIsNotCurrentIsRefused", often: true,
		also: "queue TestSimulation_WorkersRunEachJobOnceAtATime",
	},
	{
		name:  "a worker that is to stop claims",
		edits: []edit{{"decide/run.go", "case stopping:", "case stopping && !known:"}},
		pkg:   "decide", test: "TestClaim_Refusals",
	},
	{
		name:  "an exit code that is final is retried",
		edits: []edit{{"decide/run.go", "(spec.DeadOn.Has(code) || ", "(false || "}},
		pkg:   "decide", test: "TestFinish_ExitCodes",
	},
	{
		name:  "a snoozed job is due at once",
		edits: []edit{{"decide/run.go", "Due: later(at.Time, o.Snooze)}", "Due: 0}"}},
		pkg:   "decide", test: "TestFinish_ASnoozeCountsForNothing",
	},
	{
		name:  "a list of delays begins anew after the last one",
		edits: []edit{{"job/retry.go", "min(uint64(max(n, 1)), uint64(len(steps))) - 1", "(uint64(max(n, 1)) - 1) % uint64(len(steps))"}},
		pkg:   "job", test: "TestBackoff_StepStaysWithTheLast",
	},
	{
		name:  "back-off is one exponent off",
		edits: []edit{{"decide/run.go", "p.Delay(b.Attempts+1,", "p.Delay(b.Attempts,"}},
		pkg:   "decide", test: "TestFinish_FailuresBackOffAndEndInTheDeadLetterQueue",
	},
	{
		name:  "max_retries is off by one",
		edits: []edit{{"decide/run.go", "b.Attempts >= b.MaxRetries", "b.Attempts > b.MaxRetries"}},
		pkg:   "decide", test: "TestFinish_FailuresBackOffAndEndInTheDeadLetterQueue",
		also: "queuetest TestQueue_BehavesAsTheModel",
	},
	{
		name:  "max_crashes is off by one",
		edits: []edit{{"decide/run.go", "b.Crashes >= s.Jobs.Config().MaxCrashes", "b.Crashes > s.Jobs.Config().MaxCrashes"}},
		pkg:   "decide", test: "TestRunLost_FollowsOnCrashAndMaxCrashes",
	},
	{
		name:  "on_crash is ignored",
		edits: []edit{{"decide/run.go", "case b.OnCrash == job.CrashDead:", "case false:"}},
		pkg:   "decide", test: "TestRunLost_FollowsOnCrashAndMaxCrashes",
	},
	{
		name:  "a cancelled job completes if its command ends well",
		edits: []edit{{"decide/run.go", "case b.CancelAsked:\n\t\treturn []job.Event{&job.JobCancelled{Job: o.Job", "case false:\n\t\treturn []job.Event{&job.JobCancelled{Job: o.Job"}},
		pkg:   "decide", test: "TestFinish_CancelAsked",
	},
	{
		name:  "a batch with a bad job is admitted without it",
		edits: []edit{{"decide/enqueue.go", "return Admission{}, &SpecError{Index: i, Err: err}", "continue"}},
		pkg:   "decide", test: "TestEnqueue_RefusalNamesTheSpecAndAdmitsNone",
		also: "queuetest TestQueue_BehavesAsTheModel",
	},
	{
		name:  "an id may be twice in a batch",
		edits: []edit{{"decide/enqueue.go", "case b.chosen[id] != i:", "case false:"}},
		pkg:   "decide", test: "TestEnqueue_SkipExistingLeavesOutWhatIsKnown",
	},
	{
		name:  "a job that left the waiting ones stays in the timeline",
		edits: []edit{{"decide/decide.go", "s.Timeline.Remove(c.Job)", "_ = c.Job"}},
		pkg:   "decide", test: "TestRules_AnySequenceOfCommandsKeepsTheInvariants",
		also: "queuetest TestQueue_BehavesAsTheModel",
	},
	{
		name:  "a held job stays in the timeline",
		edits: []edit{{"projection/foldjob.go", "r.left == 0 && !p.isHeld(r)", "r.left == 0"}},
		pkg:   "decide", test: "TestRules_AnySequenceOfCommandsKeepsTheInvariants",
	},
	{
		name:  "a dead job comes back although another has its unique key",
		edits: []edit{{"decide/verbs.go", "if b.State == job.Dead {\n", "if false {\n"}},
		pkg:   "decide", test: "TestUnique_ADeadJobComesBackOnlyWhileNoOtherHasItsKey",
	},
	{
		name:  "a running job is replaced",
		edits: []edit{{"decide/unique.go", "spec.OnClash != job.ClashReplace || !t.state.Waiting()", "spec.OnClash != job.ClashReplace"}},
		pkg:   "decide", test: "TestUnique_WhichJobsCount",
	},
	{
		name:  "a job that changed since it was selected is acted on",
		edits: []edit{{"decide/act.go", "if c.Filter != nil && !s.Jobs.Selects(c.Filter, key) {", "if false {"}},
		pkg:   "queue", test: "TestAct_AFilterStillHoldsWhenItIsActedOn",
	},

	// The state.
	{
		name:  "a lost run counts as an attempt",
		edits: []edit{{"projection/foldjob.go", "\tl.crashes++", "\tl.crashes++; l.attempts++"}},
		pkg:   "projection", test: "TestFold_ALifeFromEnqueueToTheEnd", often: true,
		also: "queuetest TestQueue_BehavesAsTheModel",
	},
	{
		name:  "the fold takes an event of a run that is over",
		edits: []edit{{"projection/foldjob.go", "p.lives.at(r.life-1).run != run {", "run == 0 {"}},
		pkg:   "projection", test: "TestFold_EventThatDoesNotFitPanicsAndChangesNothing",
	},
	{
		name:  "priority is ignored",
		edits: []edit{{"scheduler/timeline.go", "if x.priority != y.priority {", "if false {"}},
		pkg:   "scheduler", test: "TestNext_OrderIsPriorityThenDueThenKey",
	},
	{
		name:  "a place in a heap is not noted when another item is removed",
		edits: []edit{{"scheduler/heap.go", "h.settle(place, moving)", "h.numbers[place] = moving"}},
		pkg:   "scheduler", test: "TestTimeline_AgreesWithASortedSlice", often: true,
	},
	{
		name:  "keys behind a removed one are not found",
		edits: []edit{{"scheduler/index.go", "if (i-home)&mask >= (i-hole)&mask {", "if i-home >= i-hole {"}},
		pkg:   "scheduler", test: "TestIndex_AgreesWithAMap",
	},
	{
		name:  "a clock that is set back delays what waits",
		edits: []edit{{"scheduler/timeline.go", "it.due = max(1, it.due-d)", "it.due = max(1, it.due)"}},
		pkg:   "scheduler", test: "TestStepBack_WhatWaitsStaysAsFarAway",
	},

	// Workers and their locks.
	{
		name:  "commands inherit the locks of workers and of the log",
		edits: []edit{{"internal/file/lock_unix.go", "{ return os.OpenFile(path, flag, 0o600) }", "{ fd, err := unix.Open(path, flag, 0o600); return os.NewFile(uintptr(fd), path), err }"}},
		pkg:   "internal/file", test: "TestOpenLock_IsPrivateAndClosedOnExec", often: true, only: "linux",
	},
	{
		name:  "commands inherit the FIFO of their worker",
		edits: []edit{{"scheduler/lease/fifo_unix.go", "f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)", "fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK, 0); f := os.NewFile(uintptr(fd), path)"}},
		pkg:   "scheduler/lease", test: "TestHoldWorker_IsNeverInherited", only: "linux",
	},
	{
		name:  "commands do not inherit the lock of their run",
		edits: []edit{{"internal/shell/start_unix.go", "files = append(files, s.lease.Fd())", "files = append(files, none)"}},
		pkg:   "internal/shell", test: "TestStart_CommandInheritsNothingButInputOutputAndLease", only: "linux",
		also: "queue TestRun_LostRunIsOverWhenNothingOfItLives",
	},
	{
		name:  "a worker does not pass on the lock of a run",
		edits: []edit{{"queue/command.go", "\t\tLease:   r.lock.File(),\n", "\n"}},
		pkg:   "queue", test: "TestRun_LostRunIsOverWhenNothingOfItLives", only: "linux",
	},
	{
		name:  "a lock file is seen before it is locked",
		edits: []edit{{"scheduler/lease/lease.go", `return filepath.Join(dir, "."+base)`, "return filepath.Join(dir, base)"}},
		pkg:   "scheduler/lease", test: "TestHoldWorker_NobodySeesItsLockFree", only: "linux",
	},
	{
		name:  "a worker that lives is taken for dead",
		edits: []edit{{"scheduler/lease/lease.go", "return !free, err", "return false && free, err"}},
		pkg:   "scheduler/lease", test: "TestWorkerAlive_UntilItsProcessIsKilled", only: "linux",
		also: "queue TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce",
	},
	{
		name:  "jobs are reclaimed without a look at the worker's lock",
		edits: []edit{{"queue/reclaim.go", "if !w.peerLives(p) && w.reclaim(p) {", "if w.reclaim(p) {"}},
		pkg:   "queue", test: "TestRun_JobsOfAWorkerThatLivesAreLeftToIt",
		also: "queue TestSimulation_WorkersRunEachJobOnceAtATime",
	},
	{
		name:  "a lost run is over although its command lives",
		edits: []edit{{"queue/reclaim.go", "\tif r.command {", "\tif false {"}},
		pkg:   "queue", test: "TestRun_LostRunIsOverWhenNothingOfItLives", only: "linux",
		also: "queue TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce",
	},
	{
		name:  "a lock whose holder cannot be seen counts as free",
		edits: []edit{{"scheduler/lease/orphan.go", "len(s.others) == 0 && !s.locked }", "len(s.others) == 0 }"}},
		pkg:   "scheduler/lease", test: "TestEndOrphan_HolderThatCannotBeSeenLives", only: "linux",
	},
	{
		name:  "processes of a run are not known by their environment",
		edits: []edit{{"scheduler/lease/orphan.go", "s.proven, err = process.Marked(o.marks...); err", "err = nil; err"}},
		pkg:   "scheduler/lease", test: "TestEndOrphan_EndsWhateverTheCommandBecame", only: "linux",
	},
	{
		name:  "a group whose number was given away is ended",
		edits: []edit{{"scheduler/lease/orphan.go", "leader.Start != o.rec.Start:", "leader.Start == 0:"}},
		pkg:   "scheduler/lease", test: "TestEndOrphan_LeavesStrangersAlone", only: "linux",
	},
	{
		name:  "a worker that ends keeps its lock",
		edits: []edit{{"scheduler/lease/worker.go", "remove(w.path, w.pipe), w.lock.Close(), w.closeFIFO()", "w.closeFIFO()"}},
		pkg:   "scheduler/lease", test: "TestWorkerRelease_LeavesNothing", only: "linux",
	},

	// Runs.
	{
		name:  "a kill is passed on before it is durable",
		edits: []edit{{"queue/worker.go", "if err == nil && acts {", "if err == nil && acts && false {"}},
		pkg:   "queue", test: "TestKill_IsPassedOnWhenItIsDurable",
	},
	{
		name:  "an outcome is refused on a full disk like anything else",
		edits: []edit{{"queue/run.go", "\tfinish.Essential = true", "\tfinish.Essential = false"}},
		pkg:   "queue", test: "TestRun_OutcomeIsRecordedOnAFullDisk", only: "linux",
	},
	{
		name:  "a job that is given back has failed",
		edits: []edit{{"queue/run.go", "o.Failure, o.Returned = job.WhyNone, job.WhyStop", "_ = job.WhyStop"}},
		pkg:   "queue", test: "TestRun_StopNowGivesJobsBack", only: "linux",
	},
	{
		name:  "a timeout ends the first process and not its group",
		edits: []edit{{"internal/shell/start_unix.go", "syscall.Kill(-c.pid, sig)", "syscall.Kill(c.pid, sig)"}},
		pkg:   "internal/shell", test: "TestKill_RunLastsUntilItsGroupHasEnded", only: "linux",
	},
	{
		name:  "TERM is not followed by KILL",
		edits: []edit{{"internal/shell/shell.go", "case sig == syscall.SIGTERM && p.kill == nil:", "case false:"}},
		pkg:   "internal/shell", test: "TestKill_RunLastsUntilItsGroupHasEnded", only: "linux",
	},
	{
		name:  "a signal is reported as an exit code",
		edits: []edit{{"internal/shell/start_unix.go", "r.Exit, r.Signal = -1, int(c.status.Signal())", "r.Exit = 128 + int(c.status.Signal())"}},
		pkg:   "internal/shell", test: "TestKill_SendsTheSignalToTheGroup", only: "linux",
	},
}
