package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type secretCmd struct {
	Set    secretSetCmd    `cmd:"" help:"Keep a secret; its value comes from standard input."`
	List   secretListCmd   `cmd:"" help:"List the names of the secrets."`
	Remove secretRemoveCmd `cmd:"" help:"Remove a secret for good."`
}

type secretSetCmd struct {
	Name string `arg:"" name:"name" help:"Name of the variable that jobs get it in."`
}

// Help is shown below the usage line.
func (secretSetCmd) Help() string {
	return `The value is read from standard input, without the line break at its end; on a terminal it is
asked for and not shown. It goes into a file that only you can read, secrets/NAME in the directory
of the queue, and never into the log. Jobs that name it with 'enqueue --secret-env NAME' get it
when they start.

Examples:

  queuectl secret set API_TOKEN
  pass show api/token | queuectl secret set API_TOKEN`
}

// Run keeps the secret.
func (c *secretSetCmd) Run(ctx context.Context, s *session) error {
	if err := job.CheckSecret(c.Name); err != nil {
		return err
	}
	value, err := readValue(ctx, s, c.Name)
	if err != nil {
		return err
	}
	return s.change(ctx, func(q *queue.Queue) error {
		if err := q.SetSecret(c.Name, value); err != nil {
			return err
		}
		s.changed = true
		return s.toldOfSecret("Set", c.Name)
	})
}

// readValue reads a value from standard input, or asks for it.
func readValue(ctx context.Context, s *session, name string) ([]byte, error) {
	if in, isFile := s.stdin.(*os.File); isFile && term.IsTerminal(int(in.Fd())) {
		return askForValue(ctx, s, int(in.Fd()), name)
	}
	const most = 1 << 20 // the queue says how large it may be
	value, err := interruptibly(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(s.stdin, most)) })
	if err != nil {
		return nil, fmt.Errorf("read the value: %w", err)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r")), nil
}

// askForValue reads a value from a terminal that does not show it meanwhile.
func askForValue(ctx context.Context, s *session, terminal int, name string) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, fmt.Errorf("read the value: %w", err)
	}
	fmt.Fprintf(s.stderr, "Value of %s (not shown): ", name)
	value, err := interruptibly(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	fmt.Fprintln(s.stderr)
	if ctx.Err() != nil {
		_ = term.Restore(terminal, before) // who reads still does not, and is left behind
	}
	if err != nil {
		return nil, fmt.Errorf("read the value: %w", err)
	}
	return value, nil
}

func (s *session) toldOfSecret(what, name string) error {
	switch {
	case s.quiet:
		return nil
	case s.format.machine():
		return s.document(viewSecret(name))
	}
	s.printf("%s secret %s", what, name)
	return nil
}

func viewSecret(name string) any {
	return struct {
		Name string `json:"name"`
	}{name}
}

type secretListCmd struct{}

// Help is shown below the usage line.
func (secretListCmd) Help() string {
	return `Examples:

  queuectl secret list
  queuectl secret list --quiet`
}

var secretListing = listing[string]{
	view: viewSecret,
	id:   func(name string) string { return name },
	table: func(_ *session, names []string) table {
		t := table{header: []string{"NAME"}}
		for _, name := range names {
			t.add(text(name))
		}
		return t
	},
}

// Run lists.
func (c *secretListCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		names, err := q.Secrets()
		if err != nil {
			return err
		}
		return secretListing.print(s, names)
	})
}

type secretRemoveCmd struct {
	Name string `arg:"" name:"name" help:"Name of the secret."`
}

// Help is shown below the usage line.
func (secretRemoveCmd) Help() string {
	return `Jobs that name it fail from then on, unless it is in the worker's environment.

Examples:

  queuectl secret remove API_TOKEN`
}

// Run removes the secret.
func (c *secretRemoveCmd) Run(ctx context.Context, s *session) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		if err := q.RemoveSecret(c.Name); err != nil {
			return err
		}
		s.changed = true
		return s.toldOfSecret("Removed", c.Name)
	})
}
