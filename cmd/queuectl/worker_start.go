package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type workerStartCmd struct {
	Count       int        `short:"n" default:"1" placeholder:"N" help:"Jobs to run at a time. Default: ${default}."`
	Queues      queueNames `placeholder:"NAME,..." help:"Serve these queues only, in turn."`
	Detach      bool       `help:"Work in the background, and say so when the worker has started."`
	UntilEmpty  bool       `help:"Stop when no job waits or runs any more."`
	UntilIdle   bool       `help:"Stop when no job can begin now, and none runs any more."`
	BackoffBase *float64   `placeholder:"N" help:"Base of the time between attempts while the setting backoff_base has never been set."`
}

// queueNames are names of queues on the command line, with commas between them.
type queueNames []string

// UnmarshalText adds the names of one flag. kong would take an empty one for none at all, which means all
// queues.
func (q *queueNames) UnmarshalText(text []byte) error {
	for name := range strings.SplitSeq(string(text), ",") {
		if err := job.CheckQueue(name); err != nil {
			return err
		}
		*q = append(*q, name)
	}
	return nil
}

// Help is shown below the usage line.
func (workerStartCmd) Help() string {
	return `One process runs N jobs at a time; any number of processes can share the work. Ctrl-C, SIGTERM, or
'queuectl worker stop' let the running jobs finish. A second Ctrl-C ends their commands, and the jobs go
back to pending.

A worker of all queues takes the jobs of all of them in one order: by priority, then the one that is
due for longest. With --queues it serves them in turn: of those whose first job has the highest
priority, the one that was served longest ago. So none waits for the whole backlog of another.

With --until-empty the worker waits for jobs whose time has not come, for retries, for paused queues
and for jobs that others run; not for held jobs, nor for what comes after those. With --until-idle it
leaves for later what cannot begin now.

With --detach the worker goes on when the terminal is closed; the file that it logs to is named.
'queuectl worker stop' stops it.

Examples:

  queuectl worker start --count 2
  queuectl worker start --queues mail,web
  queuectl worker start --until-empty -n 8
  queuectl worker start --until-idle
  queuectl worker start --detach --count 4`
}

// Run works.
func (c *workerStartCmd) Run(ctx context.Context, s *session) error {
	if c.Count < 1 {
		return usage("--count must be at least 1", "")
	}
	if c.UntilEmpty && c.UntilIdle {
		return usage("give --until-empty or --until-idle, not both", "")
	}
	if c.BackoffBase == nil {
		c.BackoffBase = new(float64) // 0: none
	} else if !(*c.BackoffBase >= 1) {
		return usage("--backoff-base must be at least 1", "")
	}
	if err := s.checkOwner(); err != nil {
		return err
	}
	if c.Detach {
		return c.detach(ctx, s)
	}
	return s.change(ctx, func(q *queue.Queue) error {
		ctx, stopNow, release := stopSignals(ctx, s)
		defer release()
		started := false
		self, _ := os.Executable() // "": then that of the PATH
		err := q.Run(ctx, queue.WorkerOptions{
			Program:     self,
			Slots:       c.Count,
			Queues:      c.Queues,
			UntilEmpty:  c.UntilEmpty,
			UntilIdle:   c.UntilIdle,
			BackoffBase: *c.BackoffBase,
			StopNow:     stopNow,
			Started: func(w job.Worker) {
				started = true
				c.started(s, w)
			},
		})
		if started {
			err = cannotRecord(s, err)
		}
		return err
	})
}

// checkOwner returns a failure if the queue is another user's, who would have commands run as this one. What root
// owns is as good as one's own, as ssh has it; what is not there yet will be made by this user.
func (s *session) checkOwner() error {
	for _, path := range []string{s.dir, filepath.Join(s.dir, "log")} {
		info, err := os.Stat(path)
		if err != nil {
			continue // opening the queue fails as well, and says why
		}
		owner, known := disk.OwnerOf(info)
		if !known || owner.Me || owner.Root {
			continue
		}
		return &failure{
			exit: exitFailed, code: "other_owner",
			message: fmt.Sprintf("%s belongs to %s, whose commands would run as you", path, owner.Name()),
			hint:    fmt.Sprintf("start the worker as %s; if the commands are to be yours, take %s over with 'chown -R'", owner.Name(), s.dir),
		}
	}
	return nil
}

// started says what has begun: to people in the words of the original program, to programs which worker
// they got. A worker works on if nobody listens.
func (c *workerStartCmd) started(s *session, w job.Worker) {
	switch {
	case s.quiet:
		s.printf("%s", w.ID)
	case s.format.machine():
		_ = s.document(viewWorker(queue.WorkerInfo{Worker: w, Alive: true}))
	default:
		s.printf("Starting workers (count=%d) - Ctrl-C or 'queuectl worker stop' to stop", c.Count)
	}
	if err := s.out.Flush(); err != nil {
		s.warn(err.Error())
		s.out.Reset(io.Discard)
	}
}

// cannotRecord gives an error that keeps a worker from recording what it does its exit code.
func cannotRecord(s *session, err error) error {
	hint := "the worker could not record what it does and has stopped; its jobs will run again"
	if errors.Is(err, eventlog.ErrDiskFull) {
		hint = fmt.Sprintf("free some space on the disk of %s: %s", s.dir, hint)
	}
	for _, cause := range []error{
		eventlog.ErrUnknown, eventlog.ErrNotCommitted, eventlog.ErrDiskFull, eventlog.ErrClosed,
		eventlog.ErrNoLog, // the directory was deleted: worker start has made it
	} {
		if errors.Is(err, cause) {
			return &failure{exit: exitUnknown, err: err, hint: hint}
		}
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok { // the log could not be looked at for too long
		return &failure{exit: exitUnknown, err: err, hint: hint}
	}
	return err
}

// stopSignals returns a context that ends with the first of SIGINT, SIGTERM and SIGHUP, and a channel
// that is closed by the second. The third kills the process, as if nobody had listened. Signals that were
// ignored when the process started, as nohup does with SIGHUP, stay ignored.
//
// SIGPIPE would end a worker whose log nobody reads any more; it must not. It is caught rather than
// ignored, because commands inherit what is ignored.
func stopSignals(ctx context.Context, s *session) (stop context.Context, now <-chan struct{}, release func()) {
	var wanted []os.Signal
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			wanted = append(wanted, sig)
		}
	}
	signals := make(chan os.Signal, 2)
	if len(wanted) > 0 { // none would mean all
		signal.Notify(signals, wanted...)
	}
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)

	stop, cancel := context.WithCancel(context.WithoutCancel(ctx)) // of Ctrl-C we are told here
	closed := make(chan struct{})
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for received := 1; received <= 2; received++ {
			select {
			case sig := <-signals:
				if received == 1 {
					cancel() // first: who reads the message may rely on it
					s.logger.Info().Stringer("signal", sig).Msg("finishing the running jobs; a second signal ends them")
				} else {
					s.logger.Warn().Stringer("signal", sig).Msg("ending the running jobs; they go back to pending")
					close(closed)
					signal.Stop(signals)
				}
			case <-done:
				return
			}
		}
	})
	return stop, closed, func() {
		close(done)
		watcher.Wait()
		cancel()
		signal.Stop(signals)
		signal.Stop(pipes)
	}
}
