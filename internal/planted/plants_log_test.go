package planted

import "slices"

var plants = slices.Concat(plantsInTheLog, plantsInTheQueue, plantsInThePast, plantsInTheTrail, plantsInSnapshots, plantsInSchedules, plantsInLimits, plantsInDeadlines, plantsInMachines, plantsInCosts)

// plantsInTheLog break what eventlog and the files beneath it promise.
var plantsInTheLog = []plant{
	// Acknowledgements and syncs.
	{
		name:  "an append is answered before it is synced",
		edits: []edit{{"eventlog/commit.go", "\t\terr = c.sync()", "\t\tdefer c.sync()"}},
		pkg:   "eventlog", test: "TestMemory_FailedStepsHaveTrueAnswers", often: true,
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "an append is never synced",
		edits: []edit{{"eventlog/commit.go", "must := len(r.written) > 0", "must := false"}},
		pkg:   "eventlog", test: "TestMemory_PowerCutDropsWhatWasNotSynced",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name: "a segment is synced before it is written",
		edits: []edit{
			{"eventlog/dirwrite.go", "err = s.writer.log.Write(uint64(h.Commit), frame)", "err = errors.Join(s.syncTail(), s.writer.log.Write(uint64(h.Commit), frame))"},
			{"eventlog/dirwrite.go", "s.tip = end\n\tif turns {", "s.tip, s.known = end, h.Commit\n\tif turns {"},
		},
		pkg: "eventlog", test: "TestSync_AsManyAsThereAreGroups", only: "linux",
		also: "eventlog TestRotation_NoticesThatAnotherProcessCouldNotSync",
	},
	{
		name:  "another file is synced than was written",
		edits: []edit{{"eventlog/dirsync.go", "s.disk.datasync(s.tail.f); err", "s.disk.datasync(s.marks.f); err"}},
		pkg:   "eventlog", test: "TestSync_OncePerAppendAndNoMore",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a sync of a file does nothing",
		edits: []edit{{"internal/file/file_linux.go", "return control(f, unix.Fdatasync)", "return nil"}},
		pkg:   "eventlog", test: "TestSync_AsManyAsThereAreGroups", only: "linux",
	},
	{
		name:  "a sync of a directory does nothing",
		edits: []edit{{"internal/file/sync_unix.go", "err = d.Sync()", "err = nil"}},
		pkg:   "eventlog", test: "TestOpen_DirectoriesOfANewLogReachTheDisk", only: "linux",
	},
	{
		name:  "the directory is not synced after a rotation",
		edits: []edit{{"eventlog/dirsync.go", "if s.tail.named {", "if true {"}},
		pkg:   "eventlog", test: "TestSync_DirectoryBeforeTheFirstAcknowledgementInASegment",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a segment is complete before its name is durable",
		edits: []edit{{"eventlog/dirwrite.go", "if s.tail.named && s.writer.proven {", "if s.writer.proven {"}},
		pkg:   "eventlog", test: "TestRotation_NameOfASegmentThatOneCommitFills",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a rotation believes in bytes that another process could not sync",
		edits: []edit{{"eventlog/dirwrite.go", "if s.tail.named && s.writer.proven {", "if s.tail.named {"}},
		pkg:   "eventlog", test: "TestRotation_NoticesThatAnotherProcessCouldNotSync",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a new log gets its name before it is whole on the disk",
		edits: []edit{{"eventlog/dircreate.go", "s.disk.syncDir(temp); err", "error(nil); err"}},
		pkg:   "eventlog", test: "TestOpen_NewLogIsSyncedFromTheInsideOut",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "the directory above a new log is not synced",
		edits: []edit{{"eventlog/dircreate.go", "return s.disk.syncDir(parent)", "return nil"}},
		pkg:   "eventlog", test: "TestOpen_NewLogIsSyncedFromTheInsideOut",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a segment is sealed and its new name not synced",
		edits: []edit{{"eventlog/dirsync.go", "s.disk.syncDir(sealed); err", "error(nil); err"}},
		pkg:   "eventlog", test: "TestRotation_SealsInBothDirectories",
	},
	{
		name:  "what is not proved is believed to be on the disk",
		edits: []edit{{"eventlog/dirsync.go", "s.disk.rewrite(s.tail.f, from, s.tip.offset)", "s.disk.rewrite(s.tail.f, max(from, s.tip.offset), s.tip.offset)"}},
		pkg:   "eventlog", test: "TestSync_WhatAnotherProcessCouldNotSyncIsRewritten",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "D is advanced before the sync",
		edits: []edit{{"eventlog/dirsync.go", "err := s.syncTail(); err", "err := errors.Join(s.marks.advance(markOf(s.tip)), s.syncTail()); err"}},
		pkg:   "eventlog", test: "TestReadOnly_SeesOnlyWhatIsDurable",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "D is written over the slot that says more",
		edits: []edit{{"eventlog/durable.go", "int64(1-slot)*slotSize", "int64(slot)*slotSize"}},
		pkg:   "eventlog", test: "TestDurable_OnlyGoesUpAndKeepsTheOneBefore",
	},
	{
		name:  "a view is answered before it is durable",
		edits: []edit{{"eventlog/serve.go", "if r.kind == askPeek {", "if r.kind == askPeek || r.kind == askView {"}},
		pkg:   "eventlog", test: "TestMemory_ViewWaitsForTheSyncOfAnother",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a refusal is answered before its reason is durable",
		edits: []edit{{"eventlog/commit.go", "c.weigh(q, head) //", "q.answer(nil); _ = head //"}},
		pkg:   "eventlog", test: "TestView_FailsIfWhatItSawCannotBeSynced",
	},
	{
		name:  "a reader shows what is not durable",
		edits: []edit{{"eventlog/reader.go", "case e.Commit > r.durable:", "case false:"}},
		pkg:   "eventlog", test: "TestReader_ReadsWhatIsDurableInOrder",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},

	// Several processes, and writes that fail.
	{
		name:  "nothing is caught up with before deciding",
		edits: []edit{{"eventlog/commit.go", "err := c.refresh()", "err := error(nil)"}},
		pkg:   "eventlog", test: "TestAppend_SeesWhatOthersAppendedBefore", often: true,
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a stale handle of the segments is written through",
		edits: []edit{{"eventlog/dirwrite.go", "w.log != nil && w.at == s.tip.place() && ", "w.log != nil && "}},
		pkg:   "eventlog", test: "TestAppend_SeesWhatOthersAppendedBefore",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "the append lock is shared",
		edits: []edit{{"eventlog/dir.go", "s.disk.take(s.lock, lockTry)", "s.lock.TryShared()"}},
		pkg:   "eventlog", test: "TestAppend_ManyGoroutinesShareCommits",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a lock file that was replaced still counts",
		edits: []edit{{"eventlog/dir.go", "ok, err := s.lock.Current()", "ok, err := true, error(nil)"}},
		pkg:   "eventlog", test: "TestAppend_ToADirectoryThatIsGone",
	},
	{
		name:  "a signal ends a lock or a sync",
		edits: []edit{{"internal/file/lock_unix.go", "for errors.Is(result, unix.EINTR) {", "for false {"}},
		pkg:   "eventlog", test: "TestAppend_InterruptedLocksAndSyncsAreMadeAgain", only: "linux",
	},
	{
		name: "the handle of a failed write is used again", // two safeguards: each alone would do
		edits: []edit{
			{"eventlog/dirwrite.go", "cause error) error {\n\ts.writer.release()", "cause error) error {"},
			{"eventlog/dir.go", "s.tail = tail{}\n\ts.writer.release()", "s.tail = tail{}"},
		},
		pkg: "eventlog", test: "TestWrite_FailureLeavesNothing",
	},
	{
		name:  "what a failed write has left is not cut off",
		edits: []edit{{"eventlog/dirwrite.go", "_, err = s.truncate()", "err = nil"}},
		pkg:   "eventlog", test: "TestWrite_FailureIsAnsweredByWhatIsThere",
	},
	{
		name:  "a failed write stays folded",
		edits: []edit{{"eventlog/catchup.go", "\tc.state.Reset()\n", "\n"}},
		pkg:   "eventlog", test: "TestAppend_TooLargeIsRefusedAndForgotten",
	},
	{
		name:  "the time of a commit is not that of the given clock",
		edits: []edit{{"eventlog/log.go", "if o.Now == nil {", "if true {"}},
		pkg:   "eventlog", test: "TestAppend_DecidesWithTheNextPlaceAndTheRawClock",
	},

	{
		name:  "a promise counts that comes after a repair",
		edits: []edit{{"eventlog/repair.go", "os.Rename(temp, path); err", "errors.Join(os.WriteFile(path, slots[:], 0o600), os.Remove(temp)); err"}},
		pkg:   "eventlog", test: "TestRepairLog_APromiseThatComesLateCountsForNothing",
	},

	// Recovery.
	{
		name:  "a torn tail is not truncated before an append",
		edits: []edit{{"eventlog/dirrecover.go", "done, err := s.truncate()", "done, err := true, error(nil)"}},
		pkg:   "eventlog", test: "TestOpen_TornTailIsCut",
		also: "eventlog TestSimulation_SeedsLoseNothing",
	},
	{
		name:  "a torn tail is cut before its copy is on the disk",
		edits: []edit{{"eventlog/dirrecover.go", "\t\terr = s.disk.datasync(f)", "\t\terr = nil"}},
		pkg:   "eventlog", test: "TestOpen_TornTailIsKeptBeforeItIsCut",
		also: "eventlog TestCrashStates_LoseNothingThatWasAnswered",
	},
	{
		name:  "the checksum of a frame is not compared",
		edits: []edit{{"eventlog/frame.go", "castagnoli, b[:end]) != binary.LittleEndian.Uint32(b[end:]) {", "castagnoli, b[:end]) == 0 {"}},
		pkg:   "eventlog", test: "TestDamage_EveryBitFlip",
		also: "eventlog TestJudge_EveryRowOfTheTable",
	},
	{
		name:  "the checksum of a frame leaves out its place",
		edits: []edit{{"eventlog/frame.go", "return crc32.Update(0, castagnoli, buf[:seedSize])", "return 0"}},
		pkg:   "eventlog", test: "TestJudge_CopyOfTheLogIsNotTakenForOne",
	},
	{
		name:  "the hash of the frame before is not compared",
		edits: []edit{{"eventlog/scan.go", "case e.Prev != t.head.Hash:", "case false:"}},
		pkg:   "eventlog", test: "TestScan_StopsAtFirstFrameThatDoesNotContinueTheLog",
		also: "eventlog TestArchiveDamage_WhatWasToldAnewIsNoticed",
	},
	{
		name:  "damage that may have been acknowledged is cut",
		edits: []edit{{"eventlog/recover.go", "v := verdict{row: 6}", "v := verdict{row: 6, torn: true}"}},
		pkg:   "eventlog", test: "TestJudge_EveryRowOfTheTable",
		also: "eventlog TestVerify_FindsEveryDamage",
	},
	{
		name:  "a promise behind a bad spot counts for nothing",
		edits: []edit{{"eventlog/recover.go", "case a.highest > t.head.Commit:", "case false:"}},
		pkg:   "eventlog", test: "TestDamage_EveryBitFlip",
		also: "eventlog TestJudge_PromiseOfAWholeFrameBehindTheSpot",
	},
	{
		name:  "acknowledged commits that are missing are not missed",
		edits: []edit{{"eventlog/recover.go", "case t.head.Commit < promised:", "case false:"}},
		pkg:   "eventlog", test: "TestDamage_EveryTruncation",
		also: "eventlog TestJudge_EveryRowOfTheTable",
	},
	{
		name:  "a log of a later version is written to",
		edits: []edit{{"eventlog/layout.go", "if number > frameFormat {", "if false {"}},
		pkg:   "eventlog", test: "TestFormat_LaterVersionIsToldFromDamage",
	},
	{
		name:  "a segment is begun on a full disk",
		edits: []edit{{"eventlog/dirwrite.go", "s.tail.reserved && !s.mayTurn(end)", "s.tail.reserved && false"}},
		pkg:   "eventlog", test: "TestFullDisk_OnlyEssentialsAreWritten", only: "linux",
	},
}
