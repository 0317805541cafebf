package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type retryCmd struct {
	chooseFlags
	retryFlags
}

// Help is shown below the usage line.
func (retryCmd) Help() string {
	return retryHelp + `

` + selectorHelp + `

Examples:

  queuectl retry job1
  queuectl retry --match 'connection refused' --rate 10/s
  queuectl retry job1 --keep-attempts
  queuectl retry --state failed --dry-run`
}

// Run retries.
func (c *retryCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	return c.act(ctx, s, f, deed{
		action: queue.Retrying(c.retries(false)), verb: "retry", done: "Requested retry of",
	})
}

// retryHelp is what the help of the commands that retry begins with.
const retryHelp = `The jobs are due at once, and their attempts and crashes count from 0 again; what happened before stays
in the history. With --keep-attempts they count on: a job that has used up its retries runs once more.
With --rate they are due one after another: so the log says, and workers keep to it. Of jobs that were
named, either all are retried or, after an error, none.
`

// retryFlags say how jobs are retried.
type retryFlags struct {
	KeepAttempts bool `help:"Do not count attempts and crashes from 0 again."`
	Rate         pace `placeholder:"N/UNIT" help:"Let so many be due in a second (10/s), a minute (5/m) or an hour (100/h). Default: all at once."`
}

func (f *retryFlags) retries(onlyDead bool) queue.Retries {
	return queue.Retries{OnlyDead: onlyDead, Keep: f.KeepAttempts, Every: f.Rate.every}
}

// pace is so many in a unit of time.
type pace struct{ every time.Duration }

// UnmarshalText reads such as 10/s.
func (p *pace) UnmarshalText(text []byte) error {
	number, unit, _ := strings.Cut(string(text), "/")
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || units[unit] == 0 {
		return fmt.Errorf("%q is no rate: it is a number and a unit, such as 10/s, 5/m or 100/h", text)
	}
	if p.every = time.Duration(float64(units[unit]) / n); p.every <= 0 || p.every > job.MaxDuration {
		return fmt.Errorf("%q is out of range", text)
	}
	return nil
}
