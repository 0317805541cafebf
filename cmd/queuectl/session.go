package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/rs/zerolog"
)

// session is what a command runs in: the streams, and what the global flags say.
type session struct {
	stdin  io.Reader
	out    *output
	stderr *os.File
	now    time.Time // relative times are relative to this

	dir            string // absolute
	format         format
	quiet          bool
	reason         string
	allowNetworkFS bool
	logger         zerolog.Logger

	argv          []string // what followed "--"; nil = there was none
	machineErrors bool     // errors, warnings and hints as JSON
	outColor      bool     // colours on stdout
	errTerminal   bool     // stderr is read by a person
	noQueue       bool     // the directory that was asked about holds no queue
	changed       bool     // what the command was to do is in the log: no error may pass for "nothing happened"
}

func newSession(stdin, stdout, stderr *os.File) *session {
	return &session{
		stdin:       stdin,
		out:         newOutput(stdout),
		stderr:      stderr,
		now:         time.Now(),
		errTerminal: term.IsTerminal(int(stderr.Fd())),
	}
}

// configure takes over the global flags.
func (s *session) configure(g globals) (err error) {
	for _, f := range []struct {
		name, value string
		choices     []string
	}{
		{"output", g.Output, []string{"table", "json", "jsonl"}},
		{"log-level", g.LogLevel, []string{"debug", "info", "warn", "error"}},
		{"log-format", g.LogFormat, []string{"text", "json"}},
	} {
		if f.value != "" && !slices.Contains(f.choices, f.value) {
			variable := "QUEUECTL_" + strings.ToUpper(strings.ReplaceAll(f.name, "-", "_"))
			return usage(
				fmt.Sprintf("--%s must be one of %s, but is %q", f.name, strings.Join(f.choices, ", "), f.value),
				fmt.Sprintf("%s sets it where the flag is not given", variable))
		}
	}
	s.format = format(g.Output)
	if g.JSON {
		s.format = formatJSON
	}
	s.machineErrors = s.format.machine()
	s.quiet, s.reason, s.allowNetworkFS = g.Quiet, g.Reason, g.AllowNetworkFS
	noColor := g.NoColor || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	s.outColor = s.out.terminal && !noColor
	s.logger = newLogger(s, g, noColor)
	s.dir, err = queueDir(g.Dir)
	return err
}

// newLogger returns the logger of workers: for people on a terminal, for machines otherwise.
func newLogger(s *session, g globals, noColor bool) zerolog.Logger {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	var w io.Writer = s.stderr
	if g.LogFormat == "text" || g.LogFormat == "" && s.errTerminal {
		w = zerolog.ConsoleWriter{Out: s.stderr, NoColor: noColor || !s.errTerminal, TimeFormat: time.TimeOnly, TimeLocation: time.Local}
	}
	level, err := zerolog.ParseLevel(g.LogLevel)
	if err != nil || g.LogLevel == "" { // an empty variable
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// queueDir returns the absolute directory of the queue: the one given, or queuectl in the user's state
// directory.
func queueDir(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "queuectl"), nil
	}
	if runtime.GOOS == "windows" {
		if local := os.Getenv("LocalAppData"); local != "" {
			return filepath.Join(local, "queuectl"), nil
		}
	}
	home, err := os.UserHomeDir()
	switch {
	case err != nil:
		return "", usage("there is no home directory to keep the queue in: "+err.Error(), "name a directory with --dir or QUEUECTL_DIR")
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Application Support", "queuectl"), nil
	case runtime.GOOS == "windows":
		return filepath.Join(home, "AppData", "Local", "queuectl"), nil
	}
	return filepath.Join(home, ".local", "state", "queuectl"), nil
}

func (s *session) options() queue.Options {
	wd, _ := os.Getwd() // a deleted directory has no name: then the job runs where its worker does
	return queue.Options{
		Logger:         s.logger,
		Actor:          job.Actor{Program: program(), Dir: wd, Path: os.Getenv("PATH")},
		AllowNetworkFS: s.allowNetworkFS,
		OnWait: func(holder string) {
			if holder == "" {
				holder = "another process"
			}
			s.warn("waiting for the log, which is held by " + holder)
		},
	}
}

// change runs fn with the queue, which is made if there is none.
func (s *session) change(ctx context.Context, fn func(*queue.Queue) error) error {
	q, err := queue.Open(ctx, s.dir, s.options())
	if err != nil {
		return err
	}
	defer s.close(q)
	return fn(q)
}

// existing runs fn with the queue, but makes none: if there is none, fn gets an empty queue in memory,
// and the user is told. If the log is damaged, fn gets to see its sound part, and existing returns the
// damage as its error.
func (s *session) existing(ctx context.Context, fn func(*queue.Queue) error) error {
	opt := s.options()
	opt.NoCreate = true
	q, err := queue.Open(ctx, s.dir, opt)
	if errors.Is(err, eventlog.ErrNoLog) {
		s.noQueue = true
		opt.NoCreate = false
		q, err = queue.NewMemory().Open(ctx, opt)
	}
	if err != nil {
		return err
	}
	defer s.close(q)
	err = fn(q)
	return s.orDamage(err, q.Damage())
}

// close closes the queue. What goes wrong then changes no answer: what was acknowledged is durable.
func (s *session) close(q *queue.Queue) {
	if err := q.Close(); err != nil {
		s.warn(err.Error() + "; what was done before is in the log all the same")
	}
}

// firstOf returns the error that came first: what came after it is most often its consequence.
func firstOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// finish prints the error, if there is one, and returns the exit code.
func (s *session) finish(ctx context.Context, err error) int {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = exitCode(exitInterrupted)
	}
	if err = firstOf(err, s.out.Flush()); errors.Is(err, errPipeClosed) {
		err = nil // who stops reading has seen enough
	}
	var code exitCode
	switch {
	case err == nil:
		if s.noQueue {
			s.hint(s.noQueueHint())
		}
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	f := s.explain(err)
	if f.hint == "" && s.noQueue {
		f.hint = s.noQueueHint()
	}
	s.complain(f)
	return f.exit
}

func (s *session) noQueueHint() string {
	return fmt.Sprintf("there is no queue in %s; 'queuectl enqueue' makes one", s.dir)
}
