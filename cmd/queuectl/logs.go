package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type logsCmd struct {
	ID     string `arg:"" name:"id" help:"The job."`
	Follow bool   `short:"f" help:"Go on until the run has ended; wait for the first run to start."`
	Number uint64 `name:"run" placeholder:"N" help:"What run N printed, as numbered by show and history. Default: the last run."`
	Tail   *int   `placeholder:"N" help:"Only the last N lines."`
}

// Help is shown below the usage line.
func (logsCmd) Help() string {
	return `Standard output and standard error of the job's last run, byte for byte.

Examples:

  queuectl logs job1
  queuectl logs job1 --tail 20
  queuectl logs -f job1`
}

// Run prints.
func (c *logsCmd) Run(ctx context.Context, s *session) error {
	if c.Tail != nil && *c.Tail < 0 {
		return usage("--tail must not be negative", "")
	}
	return s.existing(ctx, func(q *queue.Queue) error {
		run, err := c.run(ctx, s, q)
		if err != nil {
			return err
		}
		f := follower{id: c.ID, run: run, q: q, s: s}
		defer f.close()
		if err := f.start(c.Tail); err != nil {
			return err
		}
		if c.Follow && q.Damage() == nil { // of a damaged log nothing more will be heard
			return f.follow(ctx)
		}
		if f.file == nil {
			s.hint(fmt.Sprintf("run %d has printed nothing, or its output is not here: it is in no backup", run))
		}
		return nil
	})
}

// run returns the number of the run that is asked for.
func (c *logsCmd) run(ctx context.Context, s *session, q *queue.Queue) (job.Position, error) {
	j, err := q.Job(ctx, c.ID)
	if err != nil {
		return 0, err
	}
	if c.Number != 0 && job.Position(c.Number) != j.Run {
		return job.Position(c.Number), c.checkRun(ctx, q)
	}
	if j.Run == 0 && c.Follow && !j.State.Ended() && q.Damage() == nil {
		s.hint(fmt.Sprintf("job %s is %s: waiting for it to start", j.Spec.ID, j.State))
		err = poll(ctx, func() (bool, error) {
			j, err = q.Job(ctx, c.ID)
			return j.Run != 0 || j.State.Ended(), err
		})
		if err != nil {
			return 0, err
		}
	}
	if j.Run == 0 {
		f := &failure{code: "never_ran", message: fmt.Sprintf("job %q has not run: it is %s", c.ID, j.State)}
		if !j.State.Ended() {
			f.hint = "'queuectl logs -f' waits for its first run"
		}
		return 0, f
	}
	return j.Run, nil
}

// checkRun makes sure that the run is one of the job's.
func (c *logsCmd) checkRun(ctx context.Context, q *queue.Queue) error {
	records, err := q.History(ctx, c.ID)
	if err != nil {
		return err
	}
	var runs []string
	for _, r := range records {
		if _, ok := r.Event.(job.JobClaimed); ok {
			if uint64(r.At.Position) == c.Number {
				return nil
			}
			runs = append(runs, fmt.Sprint(r.At.Position))
		}
	}
	hint := "it has not run yet"
	if len(runs) > 0 {
		hint = "its runs are " + strings.Join(runs, ", ")
	}
	return &failure{code: "not_found", message: fmt.Sprintf("job %q has no run %d", c.ID, c.Number), hint: hint}
}

// follower prints the output of one run as it grows.
type follower struct {
	id   string
	run  job.Position
	q    *queue.Queue
	s    *session
	file *os.File // nil until the run has printed something
	last []byte   // the end of what was read so far, to see if it is still there
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close() // only read
	}
}

// start prints what is there already, or the last lines of it.
func (f *follower) start(tail *int) error {
	if err := f.open(); err != nil || f.file == nil {
		return err
	}
	if tail != nil {
		if err := seekToTail(f.file, *tail); err != nil {
			return err
		}
	}
	return f.print()
}

func (f *follower) open() (err error) {
	f.file, err = f.q.OpenOutput(f.run)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// print copies what was added to the file since the last time.
func (f *follower) print() error {
	if f.file == nil {
		if err := f.open(); err != nil || f.file == nil {
			return err
		}
	}
	if err := f.passCut(); err != nil {
		return err
	}
	if _, err := io.Copy(io.MultiWriter(f.s.out, f), f.file); err != nil {
		return err
	}
	return f.s.out.Flush()
}

// Write remembers the end of what is printed.
func (f *follower) Write(p []byte) (int, error) {
	const enough = 64
	f.last = append(f.last, p...)
	f.last = append(f.last[:0], f.last[max(0, len(f.last)-enough):]...)
	return len(p), nil
}

// passCut goes on behind the line that says so, if the worker has cut the file because it exceeded
// output_max: what was read last is then no longer where it was.
func (f *follower) passCut() error {
	at, err := f.file.Seek(0, io.SeekCurrent)
	if err != nil || len(f.last) == 0 {
		return err
	}
	there := make([]byte, len(f.last))
	if _, err := f.file.ReadAt(there, at-int64(len(there))); err == nil && bytes.Equal(there, f.last) {
		return nil
	} else if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.last = f.last[:0]
	f.s.warn(fmt.Sprintf("the output of job %q exceeded output_max and was cut in the middle", plain(f.id)))
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(f.file)
	if err != nil {
		return err
	}
	_, err = f.file.Seek(int64(max(0, bytes.LastIndex(text, []byte("\n[queuectl: ")))), io.SeekStart)
	return err
}

// follow prints until the run has ended.
func (f *follower) follow(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		j, err := f.q.Job(ctx, f.id)
		if err != nil {
			return false, err
		}
		ended := j.Run != f.run || j.State != job.Processing // looked at before the last bytes are read
		return ended, f.print()
	})
}

// poll calls look until it is done: output is not in the log, so that nothing tells when there is more.
func poll(ctx context.Context, look func() (done bool, err error)) error {
	const interval = 50 * time.Millisecond
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// seekToTail moves to the beginning of the file's last n lines. It reads from the end, so that a long
// file costs no more than a short one.
func seekToTail(f *os.File, n int) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return err
	}
	const blockSize = 64 << 10
	block := make([]byte, blockSize)
	breaks := 0 // seen so far, from the end
	for at := end; at > 0; {
		length := min(at, blockSize)
		at -= length
		if _, err := f.ReadAt(block[:length], at); err != nil {
			return err
		}
		rest := block[:length]
		if at+length == end && rest[len(rest)-1] == '\n' {
			rest = rest[:len(rest)-1] // ends the last line and begins none
		}
		for {
			i := bytes.LastIndexByte(rest, '\n')
			if i < 0 {
				break
			}
			if breaks++; breaks == n {
				_, err := f.Seek(at+int64(i)+1, io.SeekStart)
				return err
			}
			rest = rest[:i]
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}
