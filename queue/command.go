package queue

import (
	"os"
	"strconv"
	"syscall"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/internal/shell"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler/lease"
)

// command runs a shell job. An error means that it was not started, through no fault of its own.
func (w *worker) command(r *run, o *decide.Outcome) error {
	lock, err := lease.HoldRun(w.q.dir, uint64(r.number))
	if err != nil {
		return err
	}
	r.release = func(durable bool) {
		if !durable {
			_ = lock.Abandon() // whoever puts the job back needs what the file says
			return
		}
		if _, err := lock.Release(); err != nil {
			w.logger.Warn().Err(err).Uint64("run", uint64(r.number)).Msg("run lock not removed")
		}
	}
	output := w.q.OutputPath(r.number)
	p, err := shell.Start(shell.Command{
		Line: r.Job.Spec.Command, Argv: r.Job.Spec.Argv,
		Dir: firstOf(r.Job.Spec.Cwd, r.Job.CallerDir), Env: w.environment(r), Stdin: r.Job.Spec.Stdin,
		Output: output, OutputMax: r.OutputMax, Lease: lock.File(),
		Timeout: r.Timeout, Grace: r.KillGrace,
	})
	if err != nil {
		return err
	}
	if err := lock.Started(p.Pid()); err != nil {
		w.logger.Warn().Err(err).Uint64("run", uint64(r.number)).Msg("run lock does not name its process")
	}
	r.started(p.Kill)
	<-p.Done()
	result := p.Result()
	o.Result = job.Result{
		Exit: int32(result.Exit), Signal: int32(result.Signal),
		Start: result.Start.UnixNano(), End: result.End.UnixNano(),
		CPU: result.CPU, MaxRSS: result.MaxRSS, OutputSize: result.OutputSize,
		LeftBehind: result.LeftBehind,
	}
	switch {
	case result.TimedOut:
		o.Failure, o.Result.Timeout = job.WhyTimeout, r.Timeout
	case result.Signal != 0:
		o.Failure = job.WhySignal
	case result.Exit != 0:
		o.Failure = job.WhyExit
	default:
		return nil
	}
	o.Result.Tail = shell.Tail(output, r.OutputTail)
	return nil
}

// environment is the worker's, with the PATH that the job was enqueued with, then what the job adds,
// then what tells the command who it is. Later entries win.
func (w *worker) environment(r *run) []string {
	env := w.opt.Env
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
	return append(env,
		"QUEUECTL_DIR="+w.q.dir,
		"QUEUECTL_JOB_ID="+r.Job.Spec.ID,
		"QUEUECTL_RUN="+strconv.FormatUint(uint64(r.number), 10),
		"QUEUECTL_ATTEMPT="+strconv.FormatUint(uint64(r.Attempt), 10),
		"QUEUECTL_QUEUE="+firstOf(r.Job.Spec.Queue, job.DefaultQueue),
	)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sigTerm asks a command to end.
const sigTerm = int(syscall.SIGTERM)
