package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type logReplayCmd struct {
	To   string `placeholder:"MOMENT" help:"Stop there. Default: the end of the log."`
	Job  string `placeholder:"ID" help:"Show only what is about this job; all events count."`
	Step bool   `help:"On a terminal: wait for Enter after each event that is shown; q ends."`
}

// Help is shown below the usage line.
func (logReplayCmd) Help() string {
	return `Goes through the log from its first event on, and shows each event and what it changed: a job's state
and numbers, a setting, a worker, the counts. At the end it prints a digest of the state, SHA-256: two
machines that replay the same log with the same version of queuectl get the same one. With --quiet
that is all.

Nothing is run, nothing is changed, and running workers are not disturbed. A log that is damaged is
replayed as far as it is sound; exit code 4 says so.

` + momentHelp + `

Examples:

  queuectl log replay --job job1
  queuectl log replay --to 08:00 --step
  queuectl log replay --quiet
  queuectl log replay | jq -c 'select(.kind == "Digest")'`
}

// Run replays.
func (c *logReplayCmd) Run(ctx context.Context, s *session) error {
	p, err := c.newReplay(ctx, s)
	if err != nil {
		return err
	}
	past, err := queue.OpenReplay(s.dir)
	if err != nil {
		return err
	}
	defer past.Close() // only reads: nothing can be lost
	if c.To != "" {
		moment, err := parseMoment("to", c.To, s.now)
		if err != nil {
			return err
		}
		at, err := past.Find(ctx, moment)
		if at.Position == 0 {
			return fmt.Errorf("--to: %w", err)
		}
		p.to = at.Position // if the log is damaged, that is the last sound place, and the replay meets the damage
	}
	err = p.play(ctx, past)
	if _, damaged := errors.AsType[*eventlog.CorruptError](err); err != nil && !damaged {
		return err
	}
	return firstOf(err, p.end(past))
}

// replay is a replay that is shown.
type replay struct {
	s     *session
	job   string       // only what is about this one; "" = everything
	to    job.Position // 0 = the end of the log
	enter *enter       // nil = nobody is waited for
	shown int
	begun bool // an element of the array was printed
}

func (c *logReplayCmd) newReplay(ctx context.Context, s *session) (*replay, error) {
	p := &replay{s: s, job: c.Job}
	if !c.Step {
		return p, nil
	}
	in, isFile := s.stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) || !s.asTable() {
		return nil, usage("--step needs a terminal: Enter goes on, q ends", "without it, every event is printed at once")
	}
	p.enter = newEnter(in)
	return p, nil
}

// play goes to the end, or until who looks on has seen enough.
func (p *replay) play(ctx context.Context, past *queue.Replay) error {
	if p.s.quiet {
		return past.To(ctx, queue.Moment{Position: p.to})
	}
	for p.to == 0 || past.Position() < p.to {
		step, err := past.Step(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if p.job != "" && step.ID != p.job {
			continue
		}
		p.shown++
		if err := p.show(&step); err != nil {
			return err
		}
		if p.enter == nil {
			continue
		}
		if on, err := p.enter.wait(ctx, p.s); err != nil || !on {
			return err
		}
	}
	return nil
}

// end prints the digest. It returns an error if nothing was said of the job that was asked about.
func (p *replay) end(past *queue.Replay) error {
	if err := p.digest(past); err != nil {
		return err
	}
	if p.job != "" && p.shown == 0 && !p.s.quiet {
		return fmt.Errorf("job %q: %w up to position %d", p.job, job.ErrNotFound, past.Position())
	}
	return nil
}

// enter is the key that goes on.
type enter struct{ lines chan string }

// newEnter begins to read. What reads from a terminal cannot be interrupted: it ends with the process.
func newEnter(in io.Reader) *enter {
	e := &enter{lines: make(chan string)}
	go func() {
		defer close(e.lines)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			e.lines <- strings.TrimSpace(lines.Text())
		}
	}()
	return e
}

// wait waits for the key. It says whether to go on.
func (e *enter) wait(ctx context.Context, s *session) (on bool, err error) {
	if err := s.out.Flush(); err != nil {
		return false, err
	}
	fmt.Fprint(s.stderr, s.paint(grey, "Enter goes on, q ends "))
	select {
	case line, open := <-e.lines:
		return open && !strings.HasPrefix(strings.ToLower(line), "q"), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
