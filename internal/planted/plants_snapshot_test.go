package planted

// plantsInSnapshots break snapshots, and the state that rests on them.
var plantsInSnapshots = []plant{
	{
		name:  "what a newer file says of an older job is not heard",
		edits: []edit{{"projection/base.go", "if key <= l.since && !l.moved(key) {", "if key <= l.since {"}},
		pkg:   "projection", test: "TestBase_FoldedLoadedAndLivedStatesAreEqual",
	},
	{
		name:  "forgotten jobs come back from a file",
		edits: []edit{{"projection/forget.go", "return known && p.lanes.queues[number].cuts.has(f)", "return known && p.lanes.queues[number].cuts.has(f) && false"}},
		pkg:   "projection", test: "TestBase_FoldedLoadedAndLivedStatesAreEqual",
	},
	{
		name:  "memory is given up of jobs that have left since",
		edits: []edit{{"projection/snapshot.go", "if !p.Settled(loaded.base.at) {", "if false {"}},
		pkg:   "projection", test: "TestRebase_WaitsForFilesThatKnowWhoHasLeft",
	},
	{
		name:  "memory is not given up",
		edits: []edit{{"projection/snapshot.go", "p.dropAll(page, known, away)", "_ = known"}},
		pkg:   "projection", test: "TestRebaseAndForget_KeepMemoryFlat",
	},
	{
		name:  "a block of a snapshot is believed whatever its checksum",
		edits: []edit{{"eventlog/snapshot.go", "if crc32.Update(s.seed, castagnoli, b) != block.crc {", "if crc32.Update(s.seed, castagnoli, b) != block.crc && false {"}},
		pkg:   "eventlog", test: "TestSnapshotFile_EveryFlippedBitIsNoticed",
	},
	{
		name:  "a snapshot gets its name before it is on the disk",
		edits: []edit{{"eventlog/snapshots.go", "err = r.disk.datasync(f)", "err = nil"}},
		pkg:   "eventlog", test: "TestCrashStates_LoseNothingThatWasAnswered",
	},
	{
		name:  "a snapshot beyond the end of the log is no promise",
		edits: []edit{{"eventlog/dir.go", "return max(s.marks.highest().commit, s.promise)", "return s.marks.highest().commit"}},
		pkg:   "eventlog", test: "TestOpen_ASnapshotBeyondTheLogIsDamage",
	},
	{
		name:  "what was decided on a broken file is not decided again",
		edits: []edit{{"eventlog/commit.go", "return c.again(p)", "return err"}},
		pkg:   "eventlog", test: "TestResumer_ABrokenFileIsLeftOut",
	},
	{
		name:  "jobs are forgotten that came back meanwhile",
		edits: []edit{{"decide/verbs.go", "if !s.Jobs.Settled(since) {", "if false {"}},
		pkg:   "decide", test: "TestForget_IsRefusedWhenAJobCameBackMeanwhile",
	},
}
