package planted

// plantsInDeadlines break deadlines, and what is kept out of the log.
var plantsInDeadlines = []plant{
	{
		name:  "a claim takes what is past its deadline",
		edits: []edit{{"decide/run.go", "len(dead) > 0 {", "len(dead) > 1000 {"}},
		pkg:   "decide", test: "TestClaim_WhatIsPastItsDeadlineDiesInPlaceOfIt",
	},
	{
		name:  "an idle worker does not wake for a deadline",
		edits: []edit{{"queue/worker.go", "if w.expiresNow(g) && w.expire() {", "if w.expiresNow(g) && false {"}},
		pkg:   "queue", test: "TestRun_AnIdleWorkerSeesToDeadlines",
	},
	{
		name:  "a state from a snapshot does not know the deadlines",
		edits: []edit{{"projection/snapshot.go", "p.dates.set(j.key(), p.waitsUntil(j))", "_ = j"}},
		pkg:   "projection", test: "TestBase_FoldedLoadedAndLivedStatesAreEqual",
	},
	{
		name:  "half a secret stays where the tail of the output begins",
		edits: []edit{{"queue/redact.go", "return int64(most)", "return 0 * int64(most)"}},
		pkg:   "queue", test: "TestSecrets_StayOutOfTheLog",
	},
	{
		name:  "half a secret stays where output was cut out",
		edits: []edit{{"queue/redact.go", "range shell.Cuts(b) {", "range shell.Cuts(nil) {"}},
		pkg:   "queue", test: "TestSecrets_ThatACutHasGoneThroughAreHidden",
	},
	{
		name:  "a deadline that an edit sets does not hold",
		edits: []edit{{"projection/edit.go", "p.dates.set(j.key(), p.waitsUntil(j))", "_ = p.waitsUntil(j)"}},
		pkg:   "decide", test: "TestEdit_ADeadlineIsSetMovedAndTakenAway",
	},
	{
		name:  "a secret that others may read is used",
		edits: []edit{{"internal/secret/secret.go", "open != 0 &&", "open > 0o100 &&"}},
		pkg:   "internal/secret", test: "TestGet_RefusesWhatOthersMayReadOrChange",
	},
	{
		name:  "a job that is dead at its enqueue makes later ones be passed over",
		edits: []edit{{"projection/after.go", "if at.Position != key+1 {", "if at.Position != 0 {"}},
		pkg:   "decide", test: "TestCascade_GoesOnBehindAChildThatEndsAtItsEnqueue",
	},
	{
		name:  "a hook takes an id that its commit gives to another job",
		edits: []edit{{"decide/enqueue.go", ", taken: b.wanted()}", "}"}},
		pkg:   "decide", test: "TestHook_OfAReplacedParentsChildMakesWayForTheIDsOfTheBatch",
	},
}
