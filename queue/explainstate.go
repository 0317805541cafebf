package queue

import (
	"cmp"
	"slices"
	"time"

	"github.com/queuectl/queuectl/job"
)

// explain says why a job is where it is, as far as the state and the workers tell.
func (v View) explain(id string, now time.Time, workers []WorkerInfo) (Explanation, error) {
	j, err := v.Job(id)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Job: j, Hooks: v.hooks(&j), From: v.place(), Now: now.UTC()}
	switch {
	case j.State.Waiting():
		v.explainWaiting(&e, workers)
	case j.State == job.Processing:
		e.explainRunning(workers)
	case j.State == job.Completed:
		e.because(Reason{Code: CodeCompleted})
	case j.State == job.Cancelled:
		e.because(Reason{Code: CodeCancelled})
	case j.State == job.Dead:
		e.because(Reason{Code: codeOfDeath(j.Why)})
	}
	return e, nil
}

func (e *Explanation) because(r Reason) { e.Reasons = append(e.Reasons, r) }

func (e *Explanation) explainRunning(workers []WorkerInfo) {
	own := those(workers, func(w WorkerInfo) bool { return w.Key == e.Job.Worker })
	if len(own) > 0 && !own[0].Alive {
		e.because(Reason{Code: CodeWorkerDead, Workers: own})
		if !slices.ContainsFunc(workers, alive) {
			e.because(Reason{Code: CodeNoWorker})
		}
	} else {
		e.because(Reason{Code: CodeRunning, Workers: own})
	}
	if e.Job.KillAsked {
		e.because(Reason{Code: CodeKillRequested})
	}
	if e.Job.Held {
		e.because(Reason{Code: CodeHeld})
	}
}

// explainWaiting says what has to happen before a job can run, in the order in which it must.
func (v View) explainWaiting(e *Explanation, workers []WorkerInfo) {
	b, _ := v.state.Jobs.Brief(e.Job.Key)
	e.Next = e.Now
	due := !e.Job.NextAttemptAt.After(e.Now)
	if !due {
		e.Next = e.Job.NextAttemptAt
		code := CodeScheduled
		switch {
		case e.Job.State == job.Failed:
			code = CodeBackoff
		case e.Job.Runs > 0:
			code = CodeSnoozed
		}
		e.because(Reason{Code: code, Until: e.Next})
	}
	if e.Job.Held {
		e.Next = time.Time{}
		e.Reasons = append([]Reason{{Code: CodeHeld}}, e.Reasons...)
		return // all else is of no account until it is released
	}
	if e.Job.ParentsLeft > 0 {
		v.explainParents(e)
		due = false
	}
	held := v.explainHeld(e, &b.Schedule, due)
	live := those(workers, alive)
	serve := those(live, func(w WorkerInfo) bool { return w.serves(b.Schedule.Queue, b.Schedule.Kind) })
	ready := those(serve, func(w WorkerInfo) bool { return !w.Stopping })
	switch {
	case len(live) == 0:
		e.because(Reason{Code: CodeNoWorker})
	case len(serve) == 0:
		e.because(Reason{Code: CodeNotServed, Workers: live})
	case len(ready) == 0:
		e.because(Reason{Code: CodeStopping, Workers: serve})
	}
	if !due {
		return // who comes before it then, nobody knows
	}
	busy := len(ready) > 0 && !slices.ContainsFunc(ready, func(w WorkerInfo) bool { return len(w.Running) < int(w.Slots) })
	if busy {
		e.because(Reason{Code: CodeBusy, Workers: ready})
	}
	if behind := v.behind(b.Schedule, e.Now, ready); behind.Ahead > 0 {
		e.because(behind)
	} else if len(ready) > 0 && !busy && !held {
		e.because(Reason{Code: CodeTurn, Workers: ready})
	}
}

// explainHeld says what holds back the queue of a job, or its concurrency key, and whether anything does. What a
// limit makes of a job that is not due yet, nobody knows.
func (v View) explainHeld(e *Explanation, s *job.Schedule, due bool) (held bool) {
	q := v.state.Jobs.Queue(s.Queue)
	if q.Paused != 0 {
		e.Next = time.Time{}
		e.because(Reason{Code: CodePaused, said: q.Paused})
		return true
	}
	if !due {
		return false
	}
	var inQueue, ofKey []string
	for b := range v.state.Jobs.Running() {
		if b.Schedule.Queue == s.Queue {
			inQueue = append(inQueue, v.state.Jobs.ID(b.Key))
		}
		if s.ConcurrencyKey != "" && b.Schedule.ConcurrencyKey == s.ConcurrencyKey {
			ofKey = append(ofKey, v.state.Jobs.ID(b.Key))
		}
	}
	before := len(e.Reasons)
	if most := q.Limits.Concurrency; most > 0 && len(inQueue) >= int(most) {
		e.because(Reason{Code: CodeConcurrency, Jobs: inQueue, said: q.Limited})
	} else if opens := v.state.Jobs.Opens(s.Queue); opens > e.Now.UnixNano() {
		e.Next = instant(opens)
		e.because(Reason{Code: CodeRate, Until: e.Next, said: q.Limited})
	}
	if len(ofKey) > 0 {
		e.because(Reason{Code: CodeKeyTaken, Jobs: ofKey})
	}
	return len(e.Reasons) > before
}

// behind returns how many due jobs come before that of a schedule. Those count that one of the workers serves,
// too, or that are in the same lane, if there are no workers.
func (v View) behind(own job.Schedule, now time.Time, workers []WorkerInfo) Reason {
	const most = 5     // that are named
	v.state.LoadLive() // the timeline has to be whole
	var before []job.Schedule
	n := 0
	for s := range v.state.Timeline.Before(own.Key, now.UnixNano()) {
		serves := func(w WorkerInfo) bool {
			// Of a worker that serves its queues in turn, who waits longer in another one does not come first.
			return w.serves(s.Queue, s.Kind) && (len(w.Queues) == 0 || s.Queue == own.Queue || s.Priority > own.Priority)
		}
		if !slices.ContainsFunc(workers, serves) && (len(workers) > 0 || s.Queue != own.Queue || s.Kind != own.Kind) {
			continue
		}
		n++
		i, _ := slices.BinarySearchFunc(before, s, order)
		if before = slices.Insert(before, i, s); len(before) > most {
			before = before[:most]
		}
	}
	r := Reason{Code: CodeBehind, Ahead: n}
	for _, s := range before {
		r.First = append(r.First, Ahead{ID: v.state.Jobs.ID(s.Key), Priority: s.Priority, Since: instant(s.Rank)})
	}
	return r
}

// order is that in which jobs that are due are claimed.
func order(a, b job.Schedule) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Key, b.Key))
}

func alive(w WorkerInfo) bool { return w.Alive }

// those returns the workers of which something is true.
func those(workers []WorkerInfo, is func(WorkerInfo) bool) (some []WorkerInfo) {
	for _, w := range workers {
		if is(w) {
			some = append(some, w)
		}
	}
	return some
}

// serves says whether the worker claims jobs of the queue and kind.
func (w WorkerInfo) serves(queue, kind string) bool {
	if len(w.Queues) > 0 && !slices.Contains(w.Queues, queue) {
		return false
	}
	if kind == "" {
		return w.Shell
	}
	return slices.Contains(w.Kinds, kind)
}
