package planted

// plantsInMachines break what judges a machine: selftest and doctor.
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
		name:  "a selftest removes what shows that something is wrong",
		edits: []edit{{"internal/storm/trial.go", "err == nil && !o.Sound()", "err != nil && !o.Sound()"}},
		pkg:   "internal/storm", test: "TestTrial_LeavesNothingButWhatIsWrong",
	},
}
