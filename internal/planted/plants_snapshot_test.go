package planted

// plantsInSnapshots break snapshots, and the state that rests on them.
var plantsInSnapshots = []plant{
	{
		name:  "what a newer file says of an older job is not heard",
		edits: []edit{{"projection/base.go", "if key <= l.since && !l.moved(key) {", "if key <= l.since {"}},
		pkg:   "projection", test: "TestBase_FoldedLoadedAndLivedStatesAreEqual",
		also: "projection TestBase_EditedAndPurgedJobsOfOlderFiles",
	},
	{
		name:  "an edited job is as an older file has it",
		edits: []edit{{"projection/snapshot.go", "whole := isNew || f.life.flags&edited != 0", "whole := isNew"}},
		pkg:   "projection", test: "TestBase_EditedAndPurgedJobsOfOlderFiles",
	},
	{
		name:  "a purged job comes back from a file",
		edits: []edit{{"projection/forget.go", "p.dropJob(j, 0)\n\t}\n\tfor n, first", "p.dropJob(j, 0)\n\t\tdelete(p.strays, key)\n\t}\n\tfor n, first"}},
		pkg:   "projection", test: "TestBase_EditedAndPurgedJobsOfOlderFiles",
	},
	{
		name:  "a file does not have the unique keys of what waits",
		edits: []edit{{"projection/snapshot.go", "if head.UniqueKey != \"\" && isActive(f.record.state) {", "if false {"}},
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
		edits: []edit{{"eventlog/dir.go", "err = d.datasync(f)", "err = nil"}},
		pkg:   "eventlog", test: "TestCrashStates_LoseNothingThatWasAnswered",
		also: "eventlog TestSimulation_PairsOfPoints",
	},
	{
		name:  "a job that is first in its page is lost sight of",
		edits: []edit{{"projection/store.go", "return n * pageSize, t.pages[n] != &forgotten", "return n * pageSize, true"}},
		pkg:   "projection", test: "TestRebase_LosesSightOfNobody",
	},
	{
		name:  "archives go before the name of the base is on the disk",
		edits: []edit{{"eventlog/prune.go", "if err := a.disk.syncDir(filepath.Join(a.dir, baseDir)); err != nil {\n\t\treturn err\n\t}\n\tfiles", "files"}},
		pkg:   "eventlog", test: "TestCrashStates_LoseNothingThatWasAnswered",
		also: "eventlog TestSimulation_PairsOfPoints",
	},
	{
		name:  "what is pruned is not recorded",
		edits: []edit{{"eventlog/prune.go", "err = p.opt.Record(did)", "err = nil"}},
		pkg:   "eventlog", test: "TestPrune_NothingGoesUnrecorded",
	},
	{
		name:  "a base that no event names is believed",
		edits: []edit{{"queue/verify.go", "|| told.of(report.Base) != nil {", "|| true {"}},
		pkg:   "queue", test: "TestVerify_ABaseThatNoEventNames",
	},
	{
		name:  "a reader passes over what was pruned while it slept",
		edits: []edit{{"eventlog/reader.go", "if next := r.tip.head.Commit + 1; next < begins.segment {", "if next := r.tip.head.Commit + 1; next < begins.segment && false {"}},
		pkg:   "eventlog", test: "TestPrune_WhoReadsIsTold",
	},
	{
		name:  "a chain of snapshots builds on the base",
		edits: []edit{{"queue/snapshot.go", "if len(s.files) > 0 && s.files[0].Base {", "if false {"}},
		pkg:   "queue", test: "TestPrune_OldJobsLiveOn",
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
	{
		name:  "a snapshot that a power cut brought back is bad",
		edits: []edit{{"eventlog/snapshots.go", "if last.through <= far {", "if false && last.through <= far {"}},
		pkg:   "eventlog", test: "TestSnapshotChains_AFileThatAPowerCutBroughtBackIsNotBad",
	},
}
