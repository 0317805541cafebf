package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/queuectl/queuectl/queue"
)

type killCmd struct {
	chooseFlags
	Signal signalNumber `short:"s" default:"TERM" placeholder:"SIGNAL" help:"Signal to send, by name or number. TERM is followed by KILL after kill_grace."`
}

// Help is shown below the usage line.
func (killCmd) Help() string {
	return `The run counts by how it ends: by the signal it has failed, and the job is retried while it has retries
left; with exit code 0 the job is completed. To stop a job for good, use 'queuectl cancel'.

` + selectorHelp + `

Examples:

  queuectl kill job1
  queuectl kill --queue builds --yes
  queuectl kill --signal INT job1`
}

// Run asks the workers to end the runs.
func (c *killCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	action, err := queue.Killing(int(c.Signal))
	if err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{
		action: action, verb: "kill", done: "Requested end of the run of", destroys: "and lose what their runs have done so far",
	})
}

// signalNumber is the number of a signal, written as a name with or without SIG, or as a number.
type signalNumber int

// signalNumbers has the signals that have the same number on all Unix systems.
var signalNumbers = map[string]signalNumber{
	"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "ALRM": 14, "TERM": 15,
}

// UnmarshalText reads a name or a number.
func (n *signalNumber) UnmarshalText(text []byte) error {
	name := strings.TrimPrefix(strings.ToUpper(string(text)), "SIG")
	if known, ok := signalNumbers[name]; ok {
		*n = known
		return nil
	}
	number, err := strconv.Atoi(name)
	if err != nil {
		return fmt.Errorf("no signal %q: use HUP, INT, QUIT, ABRT, KILL, ALRM, TERM or a number", text)
	}
	*n = signalNumber(number)
	return nil
}
