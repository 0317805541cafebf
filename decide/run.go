package decide

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/scheduler"
)

// Claim takes the first job of the lanes that is due at at.Time, and begins a run of it by the worker;
// the run's number is the event's position. It passes over the queues that are paused, of which as many jobs run
// as their concurrency allows, or whose rate has no job left for this moment, and over jobs with a concurrency
// key that a running job has. Since claims are decided one after the other, no limit is ever exceeded, and since
// they look at what runs by the log, nothing that a dead worker held has to be given back but its jobs.
// If the deadlines of jobs that wait have come, it lets those die in place of a claim: so no job is ever begun after
// its deadline. Errors: job.ErrNoWorker; job.ErrNothingDue, also for a
// worker that was asked to stop.
func Claim(s *State, at job.At, worker job.Position, lanes scheduler.Lanes) ([]job.Event, error) {
	stopping, known := s.Jobs.Stopping(worker)
	switch {
	case !known:
		return nil, fmt.Errorf("worker %d: %w", worker, job.ErrNoWorker)
	case stopping:
		return nil, fmt.Errorf("worker %d is stopping: %w", worker, job.ErrNothingDue)
	}
	if dead, _ := Expire(s, at); len(dead) > 0 {
		return dead, nil
	}
	key, ok := s.Timeline.Next(at.Time, lanes)
	if !ok {
		return nil, job.ErrNothingDue
	}
	return []job.Event{job.JobClaimed{Job: key, Worker: worker}}, nil
}

// Outcome is how a run ended: well if neither Failure nor Returned is set.
type Outcome struct {
	Job, Run job.Position
	Failure  job.Why       // exit, signal, timeout, error; WhyNone = it did not fail
	Returned job.Why       // stop, not started, snooze: given back, neither failure nor crash; WhyNone = it was not
	Snooze   time.Duration // Returned snooze: how long the job waits
	Result   job.Result
}

// Finish ends a run. It completes the job; or counts a failed attempt, after which the job waits for
// its next one or is dead; or gives the job back. A job with neither retries nor repetition after a
// crash is not given back by a worker that stops: the run is over as if the worker had died. If the
// job's cancellation was asked for, the job is cancelled however the run ended, because many programs
// end with exit code 0 when they get TERM; the event holds the result. What the job's spec says of an exit code comes
// before the count of its attempts. A job whose next attempt would not come before its deadline is dead.
// What the end of the job means for those that come after it follows in the same commit.
//
// backoffBase is used for a job that has none as long as the setting backoff_base was never set; 0 =
// none. Errors: job.ErrStale if the run is not the job's current one, job.ErrInvalid for an outcome
// that is none.
//
// If the job has ended and has a hook for that, the hook is enqueued by a second event: see [job.ParseHook].
func Finish(s *State, at job.At, o Outcome, backoffBase float64) ([]job.Event, error) {
	events, err := finish(s, at, o, backoffBase)
	if err != nil {
		return nil, err
	}
	return cascade(s, at, withHook(s, at, events, nil)), nil
}

func finish(s *State, at job.At, o Outcome, backoffBase float64) ([]job.Event, error) {
	b, err := current(s, o.Job, o.Run)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	switch {
	case b.CancelAsked:
		return []job.Event{&job.JobCancelled{Job: o.Job, Run: o.Run, Result: o.Result}}, nil
	case o.Failure == job.WhyNone && o.Returned == job.WhyNone:
		return []job.Event{&job.JobCompleted{Job: o.Job, Run: o.Run, Result: o.Result}}, nil
	case o.Returned == job.WhyStop && b.OnCrash == job.CrashDead && b.MaxRetries == 0:
		// At most once: it was begun, and its worker leaves it.
		return []job.Event{&job.JobDied{Job: o.Job, Run: o.Run, Why: job.WhyOnCrash, Result: o.Result}}, nil
	case o.Returned == job.WhySnooze:
		return []job.Event{job.RunReturned{Job: o.Job, Run: o.Run, Why: o.Returned, Due: later(at.Time, o.Snooze)}}, nil
	case o.Returned != job.WhyNone:
		return []job.Event{job.RunReturned{Job: o.Job, Run: o.Run, Why: o.Returned}}, nil
	}
	spec, _ := s.Jobs.Spec(o.Job)
	switch code := o.Result.Exit; {
	case o.Failure == job.WhyExit && spec.SnoozeOn.Has(code):
		return []job.Event{job.RunReturned{Job: o.Job, Run: o.Run, Why: job.WhySnooze, Due: later(at.Time, cmp.Or(spec.Snooze, job.DefaultSnooze))}}, nil
	case o.Failure == job.WhyExit && (spec.DeadOn.Has(code) || spec.RetryOn != nil && !spec.RetryOn.Has(code)):
		return []job.Event{&job.JobDied{Job: o.Job, Run: o.Run, Why: job.WhyExit, Failure: o.Failure, Result: o.Result}}, nil
	case b.Attempts >= b.MaxRetries && (b.Deadline == 0 || at.Time < b.Deadline):
		return []job.Event{&job.JobDied{
			Job: o.Job, Run: o.Run, Why: job.WhyRetries, Failure: o.Failure, Result: o.Result,
		}}, nil
	}
	next := later(at.Time, backoff(s, &b, &spec, backoffBase))
	if b.Deadline != 0 && next >= b.Deadline {
		return []job.Event{&job.JobDied{
			Job: o.Job, Run: o.Run, Why: job.WhyDeadline, Failure: o.Failure, Result: o.Result,
		}}, nil
	}
	return []job.Event{&job.JobFailed{Job: o.Job, Run: o.Run, Why: o.Failure, Result: o.Result, NextAttemptAt: next}}, nil
}

func (o *Outcome) check() error {
	switch o.Failure {
	case job.WhyNone, job.WhyExit, job.WhySignal, job.WhyTimeout, job.WhyError:
	default:
		return fmt.Errorf("failure %v: %w: a run fails by exit, signal, timeout or error", o.Failure, job.ErrInvalid)
	}
	switch o.Returned {
	case job.WhyNone, job.WhyStop, job.WhyNotStarted, job.WhySnooze:
	default:
		return fmt.Errorf("returned %v: %w: a run is given back by stop, by snooze or because it was not started", o.Returned, job.ErrInvalid)
	}
	if o.Snooze < 0 || o.Snooze > job.MaxDuration || o.Snooze != 0 && o.Returned != job.WhySnooze {
		return fmt.Errorf("snooze %v: %w", o.Snooze, job.ErrInvalid)
	}
	if o.Failure != job.WhyNone && o.Returned != job.WhyNone {
		return fmt.Errorf("failure %v, returned %v: %w: a run has one outcome", o.Failure, o.Returned, job.ErrInvalid)
	}
	return nil
}

// backoff returns the delay before the attempt that follows one more failed attempt.
func backoff(s *State, b *projection.Brief, spec *job.Spec, base float64) time.Duration {
	config := s.Jobs.Config()
	if base == 0 || s.Jobs.IsSet("backoff_base") {
		base = config.BackoffBase
	}
	p := scheduler.Policy{Growth: cmp.Or(spec.Backoff, config.Backoff), Base: base, Limit: config.BackoffMax, Jitter: config.BackoffJitter}
	if spec.BackoffBase != nil {
		p.Base = *spec.BackoffBase
	}
	if spec.BackoffMax != nil {
		p.Limit = *spec.BackoffMax
	}
	if spec.BackoffJitter != nil {
		p.Jitter = *spec.BackoffJitter
	}
	return p.Delay(b.Attempts+1, hash(s.Jobs.LogID(), b.Run))
}

// hash chooses a run's part of the jitter: the same for everybody, and different between the logs that
// many machines begin at the same time.
func hash(log [16]byte, run job.Position) uint64 {
	h := mix(binary.LittleEndian.Uint64(log[:8]))
	h = mix(h ^ binary.LittleEndian.Uint64(log[8:]))
	return mix(h ^ uint64(run))
}

// RunLost ends a run whose worker is dead and of which nothing lives any more. The job is due again at
// once; it is dead if its on_crash says so or if its crashes exceed the setting max_crashes; it is
// cancelled if that was asked for. A hook is enqueued as by [Finish]. Error: job.ErrStale as for that.
func RunLost(s *State, at job.At, key, run job.Position) ([]job.Event, error) {
	events, err := runLost(s, key, run)
	if err != nil {
		return nil, err
	}
	return cascade(s, at, withHook(s, at, events, nil)), nil
}

func runLost(s *State, key, run job.Position) ([]job.Event, error) {
	b, err := current(s, key, run)
	if err != nil {
		return nil, err
	}
	switch {
	case b.CancelAsked:
		return []job.Event{&job.JobCancelled{Job: key, Run: run}}, nil
	case b.OnCrash == job.CrashDead:
		return []job.Event{&job.JobDied{Job: key, Run: run, Why: job.WhyOnCrash}}, nil
	case b.Crashes >= s.Jobs.Config().MaxCrashes:
		return []job.Event{&job.JobDied{Job: key, Run: run, Why: job.WhyCrashes}}, nil
	}
	return []job.Event{job.RunLost{Job: key, Run: run, Worker: b.Worker}}, nil
}

// current returns the job if run is its current run, else job.ErrStale: the fence between a run and
// those that followed it.
func current(s *State, key, run job.Position) (projection.Brief, error) {
	b, known := s.Jobs.Brief(key)
	if !known || b.State != job.Processing || b.Run != run {
		return b, fmt.Errorf("run %d of job %d: %w", run, key, job.ErrStale)
	}
	return b, nil
}

// Run is what a worker needs to carry out a claimed run, with the settings in force resolved.
type Run struct {
	Job        job.Job       // as of its claim
	Attempt    uint32        // 1 = first since enqueue or the last retry that reset: attempts+1
	Timeout    time.Duration // 0 = none
	Deadline   time.Time     // when the run must end, whatever the timeout is; zero = none
	KillGrace  time.Duration // between TERM and KILL
	OutputMax  int64         // bytes kept on disk; 0 = no limit
	OutputTail int64         // bytes of the output's end that the outcome of a failed run carries …
	Redact     string        // … but for what these expressions match: see job.Patterns
}

// Prepare returns what a worker needs for the current run of a job, or job.ErrStale if run is not that.
func Prepare(s *State, key, run job.Position) (Run, error) {
	if _, err := current(s, key, run); err != nil {
		return Run{}, err
	}
	config := s.Jobs.Config()
	j, _ := s.Jobs.Job(key)
	r := Run{
		Job: j, Attempt: j.Attempts + 1, Timeout: config.Timeout, KillGrace: config.KillGrace,
		OutputMax: config.OutputMax, OutputTail: config.OutputTail,
		Redact: config.Redact,
	}
	if j.Spec.Timeout != nil {
		r.Timeout = *j.Spec.Timeout
	}
	r.Deadline = j.Spec.Deadline
	return r, nil
}
