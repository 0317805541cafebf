package planted

// plantsInMachines break what judges a machine, selftest and doctor, and what a soak is to notice.
var plantsInMachines = []plant{
	{
		name:  "a storm does not miss what was answered and is lost",
		edits: []edit{{"internal/storm/check.go", "!there {", "!there && false {"}},
		pkg:   "internal/storm", test: "TestCheck_SeesWhatIsPlanted",
	},
	{
		name:  "a storm does not hear of a run beside another",
		edits: []edit{{"internal/storm/check.go", "case SawOverlap:", "case SawBegin + SawOverlap:"}},
		pkg:   "internal/storm", test: "TestCheck_SeesWhatIsPlanted",
	},
	{
		name:  "a storm does not see two runs at once in the log",
		edits: []edit{{"internal/storm/judge.go", "case j.run != 0:\n\t\tg.accuse", "case j.run == 1:\n\t\tg.accuse"}},
		pkg:   "internal/storm", test: "TestJudge_SeesRunsThatOverlapInTheLog",
	},
	{
		name:  "a storm takes an orphan for dead",
		edits: []edit{{"internal/storm/check.go", "return !free, err", "return !free && false, err"}},
		pkg:   "internal/storm", test: "TestCheck_SeesWhatIsPlanted",
	},
	{
		name: "a command leaves the file of its output open",
		edits: []edit{{"internal/shell/output.go", "\to.file.Close() // what the command wrote was its own to check\n", "\topened = append(opened, o.file)\n"}, {
			"internal/shell/output.go", "// close takes a last look,", "var opened []*os.File // or else they would be closed with the garbage\n\n// close takes a last look,",
		}},
		pkg: "queue", test: "TestSoak_StaysFlat", only: "linux",
	},
	{
		name:  "what forgotten jobs printed stays on the disk",
		edits: []edit{{"queue/forget.go", "err := os.Remove(q.OutputPath(run))", "_, err := os.Stat(q.OutputPath(run))"}},
		pkg:   "queue", test: "TestSoak_StaysFlat", only: "linux",
	},
	{
		name:  "a soak takes what grows for flat",
		edits: []edit{{"internal/soak/record.go", "if after > kind.factor*before", "if after > 4*kind.factor*before"}},
		pkg:   "internal/soak", test: "TestGrown_TellsARiseFromAWave",
	},
	{
		name:  "a selftest removes what shows that something is wrong",
		edits: []edit{{"internal/storm/trial.go", "err == nil && !o.Sound()", "err != nil && !o.Sound()"}},
		pkg:   "internal/storm", test: "TestTrial_LeavesNothingButWhatIsWrong",
	},
	{
		name:  "a doctor believes in locks that exclude nobody",
		edits: []edit{{"internal/doctor/ground.go", "case whileHeld:", "case whileHeld && !whenFree:"}},
		pkg:   "internal/doctor", test: "TestLocks_ThatExcludeNobodyAreBad",
	},
	{
		name:  "a doctor leaves a file in the directory",
		edits: []edit{{"internal/doctor/ground.go", "errors.Join(f.Close(), os.Remove(f.Name()))", "errors.Join(f.Close(), nil)"}},
		pkg:   "internal/doctor", test: "TestLook_AtAHealthyQueueChangesNothing",
	},
	{
		name:  "a doctor takes damage for something else",
		edits: []edit{{"internal/doctor/log.go", "v.found.Damaged = true", "v.found.Damaged = false"}},
		pkg:   "internal/doctor", test: "TestLook_AtADamagedLogGoesOn",
	},
}
