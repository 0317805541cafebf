package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// run is one start of a job by this worker.
type run struct {
	key, number job.Position
	decide.Run           // what to do, with the settings in force when it was claimed
	expired     []string // ids of the jobs that died of their deadlines in place of the claim
	litter               // of a command
	asked       bool     // its command was asked to end, and ended with exit code 0
	kills       int      // requests that were passed on; guarded by the worker's mu

	mu      sync.Mutex
	end     func(signal int) // ends what runs; nil = not started yet
	signals []int            // asked for before it was started
	back    bool             // it was ended only because the worker must stop: give the job back
}

// stop ends the run with a signal, now or as soon as it starts.
func (r *run) stop(signal int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end == nil {
		r.signals = append(r.signals, signal)
		return
	}
	r.end(signal)
}

// giveBack ends the run because the worker must stop.
func (r *run) giveBack() {
	r.mu.Lock()
	already := r.back
	r.back = true
	r.mu.Unlock()
	if !already {
		r.stop(sigTerm)
	}
}

// started makes the run stoppable; what was asked for meanwhile is done at once.
func (r *run) started(end func(signal int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = end
	for _, signal := range r.signals {
		end(signal)
	}
}

func (r *run) givenBack() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.back
}

// killAsked passes on what was asked for, each request once: all of them stay in the state until the run has ended. Who
// asks again means something else, or found that the first signal was not enough.
func (w *worker) killAsked(kills map[job.Position][]int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for number, signals := range kills {
		r := w.runs[number]
		if r == nil {
			continue
		}
		for _, signal := range signals[r.kills:] {
			r.kills++
			w.logger.Info().Str("job", r.Job.Spec.ID).Uint64("run", uint64(number)).Int32("signal", signal).Msg("ending run")
			r.stop(int(signal))
		}
	}
}

// claim fills free slots, which reserve has set aside, in one commit. It returns how many it filled.
func (w *worker) claim(slots int) (filled int) {
	proposals := make([]*eventlog.Proposal, slots)
	claimed := make([]*run, slots)
	for i := range proposals {
		proposals[i], claimed[i] = w.claimProposal()
	}
	_ = w.q.log.AppendAll(w.ctx, proposals...) // each proposal has its own answer
	for i, p := range proposals {
		r := w.settle(p.Err, claimed[i])
		if r != nil {
			filled++
		}
		w.begin(r)
	}
	return filled
}

// claimProposal asks for the next due job. The run is filled in when the proposal is decided. It has no number then
// if jobs died of their deadlines in place of a claim.
func (w *worker) claimProposal() (*eventlog.Proposal, *run) {
	r := &run{}
	p := w.q.proposal("", func(s *decide.State, at job.At) ([]job.Event, error) {
		events, err := decide.Claim(s, at, w.key, w.lanes)
		r.key, r.number, r.expired = 0, 0, nil
		if err != nil {
			return nil, err
		}
		if claim, ok := events[0].(job.JobClaimed); ok {
			r.key, r.number = claim.Job, at.Position
			w.noteClaim(r)
		} else {
			r.expired = idsOf(s, events)
		}
		return events, nil
	})
	decideOnly := p.Decide
	p.Decide = func(t eventlog.Turn) ([]eventlog.Event, error) {
		events, err := decideOnly(t)
		if err == nil && r.number != 0 {
			r.Run, err = decide.Prepare(w.q.m.state, r.key, r.number)
			if err != nil {
				panic(fmt.Sprintf("queue: the run just claimed is not current: %v", err))
			}
		}
		return events, err
	}
	return p, r
}

// noteClaim notes which slot decided a claim for a number last. After a write that failed the number is given again,
// perhaps to another slot, and then to that one alone.
func (w *worker) noteClaim(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.claims[r.number] = r
}

// claimIs says that no other slot has decided a claim for the number since r did.
func (w *worker) claimIs(r *run) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.claims[r.number] == r
}

// forgetClaim is called when it is known whether the claim holds.
func (w *worker) forgetClaim(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.claims[r.number] == r {
		delete(w.claims, r.number)
	}
}

// settle finds out whether a claim holds: it returns the run, or nil if there is none.
func (w *worker) settle(err error, r *run) *run {
	defer w.forgetClaim(r)
	var corrupt *eventlog.CorruptError
	switch {
	case err == nil && r.number == 0:
		w.logExpired(r.expired)
		return nil
	case err == nil:
		return r
	case errors.Is(err, job.ErrNothingDue):
		return nil
	case errors.Is(err, eventlog.ErrUnknown) && r.number != 0:
		w.pause(err)
		current := false
		err = w.q.view(w.ctx, func(s *decide.State) {
			b, _ := s.Jobs.Brief(r.key)
			current = b.State == job.Processing && b.Run == r.number && b.Worker == w.key && w.claimIs(r)
		})
		if err == nil && current {
			return r
		}
	case errors.Is(err, eventlog.ErrClosed), errors.Is(err, job.ErrNoWorker), errors.As(err, &corrupt):
	case cannotWrite(err):
		w.pause(err)
		return nil
	}
	if err != nil {
		w.fail(err)
	}
	return nil
}

// append commits what nobody but time asks of this worker. It reports whether it is in the log. If it turns out to be
// there all the same, the state says so when it is read again.
func (w *worker) append(p *eventlog.Proposal) bool {
	err := w.q.log.Append(w.ctx, p)
	var corrupt *eventlog.CorruptError
	switch {
	case err == nil:
		return true
	case cannotWrite(err) && !errors.Is(err, eventlog.ErrClosed) && !errors.As(err, &corrupt):
		w.pause(err)
	default:
		w.fail(err)
	}
	return false
}

// pause claims nothing for a second, because the machine could not do what it must.
func (w *worker) pause(err error) {
	w.logger.Warn().Err(err).Msg("claiming nothing for a second")
	w.mu.Lock()
	w.paused = w.q.opt.Elapsed() + time.Second
	w.mu.Unlock()
}

// begin starts the run in a slot that was set aside for it; a nil run gives the slot back.
func (w *worker) begin(r *run) {
	w.mu.Lock()
	w.claiming--
	if r != nil {
		w.runs[r.number] = r
		if w.now {
			r.giveBack()
		}
	}
	w.mu.Unlock()
	if r != nil {
		w.goroutines.Go(func() { w.work(r) })
	}
}

// work carries out a run, and then the runs that its slot claims with the outcome.
func (w *worker) work(r *run) {
	for r != nil {
		outcome := w.perform(r)
		r = w.conclude(r, outcome)
	}
	w.rouse()
}

// conclude records the outcome and claims the next job, in one commit. Only then is the run over here.
func (w *worker) conclude(r *run, o decide.Outcome) (next *run) {
	next, err := w.record(r, o)
	switch {
	case err != nil:
		r.abandon()
	case next != nil && next.Job.Spec.Kind == "":
		next.litter = r.litter
	default:
		w.tidy(r)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.runs, r.number)
	if err != nil {
		w.unsaid++
	}
	if next != nil {
		w.runs[next.number] = next
		if w.now {
			next.giveBack()
		}
	}
	return next
}

// recordPatience is how long a worker tries to record an outcome on a log that cannot be written before
// it gives up: the job will then run again.
const recordPatience = time.Minute

// record makes the outcome durable. While the log cannot be written it tries again, which is safe: an
// outcome that is in the log already is refused as stale.
func (w *worker) record(r *run, o decide.Outcome) (next *run, err error) {
	started := w.q.opt.Elapsed()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var decided []job.Event
		finish := w.q.proposal("", func(s *decide.State, at job.At) (events []job.Event, err error) {
			decided, err = decide.Finish(s, at, o, w.opt.BackoffBase)
			return decided, err
		})
		finish.Essential = true
		proposals := []*eventlog.Proposal{finish}
		var claimed *run
		if next == nil && w.mayClaim() {
			var claim *eventlog.Proposal
			claim, claimed = w.claimProposal()
			proposals = append(proposals, claim)
		}
		_ = w.q.log.AppendAll(w.ctx, proposals...) // each proposal has its own answer
		if claimed != nil {
			next = w.settle(proposals[1].Err, claimed)
		}
		switch err := finish.Err; {
		case err == nil:
			w.logOutcome(r, decided[0], o)
			return next, nil
		case errors.Is(err, job.ErrStale):
			return next, nil // recorded by an earlier try, or another worker holds us for dead
		case !cannotWrite(err), w.failure() != nil, w.q.opt.Elapsed()-started > recordPatience:
			err = fmt.Errorf("record the outcome of run %d of job %s: %w", r.number, r.Job.Spec.ID, err)
			w.fail(err)
			return next, err
		}
		w.logger.Warn().Err(finish.Err).Str("job", r.Job.Spec.ID).Msg("outcome not recorded yet")
		time.Sleep(wait)
	}
}

// mayClaim says whether a slot that becomes free may take the next job.
func (w *worker) mayClaim() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.stops() && w.q.opt.Elapsed() >= w.paused
}

// logOutcome says what became of a job with its run.
func (w *worker) logOutcome(r *run, decided job.Event, o decide.Outcome) {
	ev := w.logger.Info()
	what := "job completed"
	switch e := decided.(type) {
	case job.RunReturned:
		if what = "job given back"; e.Why == job.WhySnooze {
			what = "job snoozed"
			ev = ev.Time("next_attempt_at", time.Unix(0, e.Due).UTC())
		}
	case *job.JobCancelled:
		what = "job cancelled"
	case *job.JobFailed:
		ev, what = w.logger.Warn(), "job failed"
		ev = ev.Str("error", job.LastError(e.Why, e.Result)).Time("next_attempt_at", time.Unix(0, e.NextAttemptAt).UTC())
	case *job.JobDied:
		ev, what = w.logger.Warn(), "job died"
		ev = ev.Str("error", job.LastError(e.Failure, e.Result)).Stringer("why", e.Why)
	}
	ev.Str("job", r.Job.Spec.ID).Uint64("run", uint64(r.number)).Uint32("attempt", r.Attempt).
		Dur("took_ms", time.Duration(o.Result.End-o.Result.Start)).Msg(what)
}

// perform carries out a run and says how it ended.
func (w *worker) perform(r *run) decide.Outcome {
	w.logger.Info().Str("job", r.Job.Spec.ID).Uint64("run", uint64(r.number)).Uint32("attempt", r.Attempt).Msg("job started")
	o := decide.Outcome{Job: r.key, Run: r.number}
	if r.Job.Spec.Kind != "" {
		w.handle(r, &o)
	} else if err := w.command(r, &o); err != nil {
		// The machine is full, or lacks a shell: the job is not to blame.
		w.pause(fmt.Errorf("start job %s: %w", r.Job.Spec.ID, err))
		o.Returned = job.WhyNotStarted
		return o
	}
	// Many programs end with exit code 0 when they get TERM.
	if (o.Failure != job.WhyNone || r.asked) && r.givenBack() && !w.wasKilled(r) {
		o.Failure, o.Returned = job.WhyNone, job.WhyStop
	}
	return o
}

// wasKilled says that somebody asked for the end of this run: it then failed, although the worker stops.
func (w *worker) wasKilled(r *run) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return r.kills > 0
}

// handle runs a job's handler.
func (w *worker) handle(r *run, o *decide.Outcome) {
	ctx, cancel := context.WithCancelCause(w.ctx)
	defer cancel(nil)
	limit := r.limit(w.q.opt.Now())
	if limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, limit, errTimeout)
		defer stop()
	}
	r.started(func(int) { cancel(errKilled) })
	began := w.q.opt.Elapsed()
	o.Result.Start = w.q.opt.Now().UnixNano()
	err := protect(func() error { return w.opt.Handlers[r.Job.Spec.Kind](ctx, r.Job) })
	var later *snooze
	o.Result.End = o.Result.Start + int64(w.q.opt.Elapsed()-began) // the wall clock may have been set meanwhile
	switch {
	case err == nil:
		return
	case errors.As(err, &later):
		o.Returned, o.Snooze = job.WhySnooze, later.pause
		return
	case errors.Is(context.Cause(ctx), errTimeout):
		o.Failure, o.Result.Timeout = job.WhyTimeout, limit
	default:
		o.Failure = job.WhyError
	}
	o.Result.Tail = clip(newRedactor(r.Redact, nil).text(err.Error()), r.OutputTail)
}

// Snooze is what a handler returns, alone or wrapped, whose time has not come: the run counts for nothing, and the job
// waits for so long, from 0 to job.MaxDuration, before it runs again.
func Snooze(pause time.Duration) error { return &snooze{min(max(0, pause), job.MaxDuration)} }

type snooze struct{ pause time.Duration }

func (s *snooze) Error() string { return "snoozed for " + job.FormatDuration(s.pause) }

var (
	errTimeout = errors.New("timeout")
	errKilled  = errors.New("asked to end")
)

// errNoReturn is the failure of a handler that ended its goroutine, as t.FailNow does in a test.
var errNoReturn = errors.New("the handler ended its goroutine (runtime.Goexit)")

// protect turns whatever ends a handler but a return into an error. It has a goroutine of its own, so
// that even a runtime.Goexit ends no more than that.
func protect(handler func() error) error {
	err := errNoReturn
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		err = handler()
	}()
	<-done
	return err
}

// clip cuts text to at most n bytes, keeping its beginning and no half character.
func clip(text string, n int64) string {
	if int64(len(text)) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
