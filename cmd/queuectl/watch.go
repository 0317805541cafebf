package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type watchCmd struct {
	Status watchStatusCmd `cmd:"" help:"Watch the queue at a glance, and what runs."`
	List   watchListCmd   `cmd:"" help:"Watch the list of jobs."`
}

const watchHelp = `The screen is drawn again when something has changed, a few times a second at most, and each second, so
that times go on. Ctrl-C ends it, with exit code 130, and leaves the terminal as it was.

Only a person can watch: through a pipe 'queuectl log follow' prints what happens, and 'queuectl wait'
waits for jobs.`

type watchStatusCmd struct{}

// Help is shown below the usage line.
func (watchStatusCmd) Help() string {
	return watchHelp + `

Examples:

  queuectl watch status`
}

// Run watches the status.
func (watchStatusCmd) Run(ctx context.Context, s *session) error {
	return s.watch(ctx, "watch status", func(ctx context.Context, s *session, q *queue.Queue, rows int) error {
		status, err := q.Status(ctx)
		if err != nil {
			return err
		}
		status.Dir = s.dir
		printStatus(s, status)
		jobs, err := q.List(ctx, projection.Filter{States: []job.State{job.Processing}, Limit: rows})
		if err != nil || len(jobs) == 0 {
			return err
		}
		s.printf("")
		t := table{header: []string{"RUNNING", "QUEUE", "FOR", "COMMAND"}, spare: []string{"QUEUE"}}
		for _, j := range jobs {
			t.add(text(j.Spec.ID), text(queueName(j.Spec)), text(roughly(max(0, s.now.Sub(j.StartedAt)).Truncate(time.Second))), text(commandLine(j.Spec)))
		}
		t.print(s)
		return nil
	})
}

type watchListCmd struct {
	State []job.State `placeholder:"STATE,..." help:"Only jobs in these states."`
	Held  bool        `help:"Only jobs that are held."`
	Queue string      `placeholder:"NAME" help:"Only jobs of this queue."`
	filterFlags
}

// Help is shown below the usage line.
func (watchListCmd) Help() string {
	return `The newest jobs, as many as there is room for, in the order in which they were enqueued.

` + watchHelp + `

Examples:

  queuectl watch list
  queuectl watch list --state processing,failed --queue mail`
}

// Run watches the list.
func (c *watchListCmd) Run(ctx context.Context, s *session) error {
	f := projection.Filter{States: c.State, Held: c.Held, Queue: c.Queue, Newest: true}
	if err := c.narrow(s, &f); err != nil {
		return err
	}
	return s.watch(ctx, "watch list", func(ctx context.Context, s *session, q *queue.Queue, rows int) error {
		const around = 2 // lines: the header, and how many are not shown
		f.Limit = max(1, rows-around)
		jobs, err := q.List(ctx, f)
		if err != nil {
			return err
		}
		jobTable(s, jobs).print(s)
		if len(jobs) < f.Limit {
			return nil
		}
		n, err := q.Count(ctx, f)
		if n > len(jobs) {
			s.printf("%s", s.paint(grey, count(n-len(jobs), "older job")+" not shown"))
		}
		return err
	})
}

// picture prints what a screen with so many lines is to show, to a session of its own.
type picture func(ctx context.Context, s *session, q *queue.Queue, rows int) error

// watch draws the picture until the user has seen enough.
func (s *session) watch(ctx context.Context, command string, draw picture) error {
	if !s.out.terminal || s.quiet || s.format.machine() {
		return usage(fmt.Sprintf("'queuectl %s' is for a person at a terminal", command),
			"for programs 'queuectl log follow' prints what happens, and 'queuectl wait' waits for jobs")
	}
	opt := s.options()
	opt.NoCreate = true
	q, err := queue.Open(ctx, s.dir, opt)
	if err != nil {
		return err
	}
	defer s.close(q)
	if err := q.Damage(); err != nil {
		return err // nothing more will be heard of the jobs
	}
	restore, err := useScreen(s.out.file)
	if err != nil {
		return err
	}
	defer restore()
	return s.redraw(ctx, q, screen{out: s.out.file, title: command}, draw)
}

// redraw draws whenever there is something new, but not too often.
func (s *session) redraw(ctx context.Context, q *queue.Queue, sc screen, draw picture) error {
	const (
		rest = 250 * time.Millisecond // between two drawings
		tick = time.Second            // what the log does not tell: the time, and workers that were killed
	)
	resized, stop := resizes()
	defer stop()
	for {
		changed := q.Changed()
		if err := sc.draw(ctx, s, q, draw); err != nil {
			return err
		}
		next := time.After(tick)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-resized:
			continue
		case <-time.After(rest):
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-resized:
		case <-changed:
		case <-next:
		}
	}
}

// screen is a terminal that is drawn on.
type screen struct {
	out   *os.File
	title string
	shown string // what it shows
}

// What terminals do when they get these: DEC private modes, as xterm has them (ctlseqs).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the other screen, no cursor, no line wraps
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	toTop       = "\x1b[H"
	clearLine   = "\x1b[K" // from here
	clearBelow  = "\x1b[J"
)

// draw prints the picture, if it is another one than before.
func (sc *screen) draw(ctx context.Context, s *session, q *queue.Queue, draw picture) error {
	width, height, err := term.GetSize(int(sc.out.Fd()))
	if err != nil || width < 1 || height < 1 {
		width, height = 80, 24 // as terminals are that do not say
	}
	var text bytes.Buffer
	on := *s
	on.now = time.Now()
	on.out = &output{Writer: bufio.NewWriter(&text), file: sc.out, terminal: true, width: width}
	on.printf("%s", on.paint(grey, fmt.Sprintf("queuectl %s  %s  Ctrl-C ends it", sc.title, on.now.Format(time.TimeOnly))))
	const title = 1 // line
	if err := draw(ctx, &on, q, height-title); err != nil {
		return err
	}
	if err := on.out.Flush(); err != nil {
		return err
	}
	shown := frame(text.String(), height)
	if shown == sc.shown {
		return nil
	}
	sc.shown = shown
	_, err = printer{sc.out}.Write([]byte(shown))
	return err
}

// frame makes a text what a terminal of so many lines is to get to show it, whatever it showed before.
func frame(text string, height int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > height {
		hidden := len(lines) - height + 1
		lines = append(lines[:height-1:height-1], fmt.Sprintf("… %s", count(hidden, "more line")))
	}
	return toTop + strings.Join(lines, clearLine+"\r\n") + clearLine + clearBelow
}
