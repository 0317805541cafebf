package queue

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/internal/shell"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/lease"
)

// command runs a shell job. An error means that it was not started, through no fault of its own.
func (w *worker) command(r *run, o *decide.Outcome) error {
	if err := r.hold(w.q.dir, uint64(r.number)); err != nil {
		return err
	}
	output := w.q.OutputPath(r.number)
	empty := r.empty
	r.empty = ""
	limit := r.limit(w.q.opt.Now())
	env, secrets, unready := w.environment(r)
	p, err := shell.Start(shell.Command{
		Line: r.Job.Spec.Command, Argv: w.argv(r.Job.Spec.Argv),
		Dir: dirOf(&r.Job), Env: env, Unready: unready, Stdin: r.Job.Spec.Stdin,
		Output: output, OutputMax: r.OutputMax, KeepEmpty: true, Reuse: empty,
		Lease:   r.lock.File(),
		Timeout: limit, Grace: r.KillGrace,
		Now: w.q.opt.Now,
	})
	if err != nil {
		return err
	}
	if err := r.lock.Started(p.Pid()); err != nil {
		w.logger.Warn().Err(err).Uint64("run", uint64(r.number)).Msg("run lock does not name its process")
	}
	r.started(p.Kill)
	<-p.Done()
	result := p.Result()
	if result.OutputSize == 0 {
		r.empty = output
	}
	o.Result = job.Result{
		Exit: int32(result.Exit), Signal: int32(result.Signal),
		Start: result.Start.UnixNano(),
		// By the monotonic clock, if Now has one: the wall clock may have been set meanwhile.
		End: result.Start.Add(result.End.Sub(result.Start)).UnixNano(),
		CPU: result.CPU, MaxRSS: result.MaxRSS, OutputSize: result.OutputSize,
		LeftBehind: result.LeftBehind,
	}
	switch {
	case result.TimedOut:
		o.Failure, o.Result.Timeout = job.WhyTimeout, limit
	case result.Signal != 0:
		o.Failure = job.WhySignal
	case result.Exit != 0:
		o.Failure = job.WhyExit
	default:
		r.asked = result.Asked
		return nil
	}
	hidden := newRedactor(r.Redact, secrets)
	o.Result.Tail = shell.TailWithout(output, r.OutputTail, hidden.before(), hidden.hide)
	return nil
}

// argv puts the worker's own program in place of that of a hook which is an address.
func (w *worker) argv(words []string) []string {
	if n := len(job.PostCommand); w.opt.Program != "" && len(words) > n && slices.Equal(words[:n], job.PostCommand) {
		return append([]string{w.opt.Program}, words[1:]...)
	}
	return words
}

// litter is what a command leaves on the disk once its outcome is durable. The next command of the slot uses it again.
type litter struct {
	lock  *lease.Run // nil = none
	empty string     // the output file, to which nothing was printed; "" = none
}

// hold takes the lock of a run, with what an earlier one has left.
func (l *litter) hold(dir string, run uint64) (err error) {
	before := l.lock
	l.lock = nil
	if before == nil {
		l.lock, err = lease.HoldRun(dir, run)
	} else {
		l.lock, err = before.Follow(run)
	}
	return err
}

// abandon leaves everything as it is, because the outcome could not be recorded: whoever puts the job back needs what
// the lock file says.
func (l *litter) abandon() {
	if l.lock != nil {
		_ = l.lock.Abandon()
	}
}

// tidy removes what a run has left.
func (w *worker) tidy(r *run) {
	if r.empty != "" {
		_ = os.Remove(r.empty) // an empty file left over tells no lie
	}
	if r.lock == nil {
		return
	}
	if _, err := r.lock.Release(); err != nil {
		w.logger.Warn().Err(err).Uint64("run", uint64(r.number)).Msg("run lock not removed")
	}
}

// dirOf is where a job runs: where it was enqueued, or in its own directory, which may be relative to that.
func dirOf(j *job.Job) string {
	if filepath.IsAbs(j.Spec.Cwd) {
		return j.Spec.Cwd
	}
	return filepath.Join(j.CallerDir, j.Spec.Cwd) // "" if both are
}

// environment is the worker's, with the PATH that the job was enqueued with, then what the job adds,
// then its secrets, then what tells the command who it is. Later entries win. It returns the values of the secrets as
// well, and why one cannot be had.
func (w *worker) environment(r *run) (env, secrets []string, err error) {
	env = w.opt.Env
	if env == nil {
		env = os.Environ() // as os/exec does
	}
	env = append(make([]string, 0, len(env)+len(r.Job.Spec.Env)+6), env...)
	if r.Job.CallerPath != "" {
		env = append(env, "PATH="+r.Job.CallerPath)
	}
	for name, value := range r.Job.Spec.Env {
		env = append(env, name+"="+value)
	}
	for _, name := range r.Job.Spec.SecretEnv {
		value, err := w.secret(name)
		if err != nil {
			return nil, nil, err
		}
		env, secrets = append(env, name+"="+value), append(secrets, value)
	}
	env = append(env,
		"QUEUECTL_DIR="+w.q.dir,
		"QUEUECTL_JOB_ID="+r.Job.Spec.ID,
		"QUEUECTL_RUN="+strconv.FormatUint(uint64(r.number), 10),
		"QUEUECTL_ATTEMPT="+strconv.FormatUint(uint64(r.Attempt), 10),
		"QUEUECTL_QUEUE="+firstOf(r.Job.Spec.Queue, job.DefaultQueue),
	)
	return env, secrets, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sigTerm asks a command to end.
const sigTerm = int(syscall.SIGTERM)
