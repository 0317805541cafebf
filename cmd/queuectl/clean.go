package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

type cleanCmd struct {
	chooseFlags
	OlderThan string `placeholder:"DURATION" help:"Only jobs that ended at least so long ago, such as 7d."`
}

// Help is shown below the usage line.
func (cleanCmd) Help() string {
	return `Jobs that have ended leave the queue: they are not listed or counted any more, their ids are free again,
and what they printed is removed. What happened to them stays in the log: see 'queuectl log list'.
Workers do so by themselves, after retention_completed (for completed and cancelled jobs) and
retention_dead: see 'queuectl config list'.

Without ids or flags that say more, it is about all completed and cancelled jobs. Dead ones are only
forgotten if they are named or --state says so.

` + selectorHelp + `

Examples:

  queuectl clean --dry-run
  queuectl clean job1 --yes
  queuectl clean --queue mail --tag team=web --dry-run
  queuectl clean --older-than 1d --yes
  queuectl clean --state dead --older-than 90d --reason 'nobody asked for them'`
}

// cleanView is what was forgotten as JSON.
type cleanView struct {
	DryRun  bool           `json:"dry_run"`
	Jobs    map[string]int `json:"jobs"`
	Outputs int            `json:"outputs_removed"`
}

// Run forgets.
func (c *cleanCmd) Run(ctx context.Context, s *session) error {
	states, until, err := c.rule(s)
	if err != nil {
		return err
	}
	f, err := c.filter(s)
	if err != nil {
		return err
	}
	if f.States = nil; len(c.IDs) == 0 && reflect.DeepEqual(f, projection.Filter{}) {
		return c.byRule(ctx, s, states, until)
	}
	f.States = c.State
	if c.OlderThan == "" {
		until = time.Time{} // whatever the clocks say
	}
	return c.act(ctx, s, f, deed{
		action: queue.Clearing(until), selects: states, verb: "forget", command: "clean", done: "Forgot", gone: true,
		destroys: "and remove what they printed",
	})
}

// byRule forgets all jobs of the states that had ended by then.
func (c *cleanCmd) byRule(ctx context.Context, s *session, states []job.State, until time.Time) error {
	return s.existing(ctx, func(q *queue.Queue) error {
		if !c.Yes || c.DryRun {
			would, err := forget(ctx, q, states, until, true)
			if err != nil {
				return err
			}
			n := total(would)
			if c.DryRun || n == 0 {
				return c.print(s, would, true)
			}
			if err := s.confirm(ctx, fmt.Sprintf("Forget %s (%s) and remove what they printed?", count(n, "job"), jobWords(would))); err != nil {
				return err
			}
		}
		done, err := forget(ctx, q, states, until, false)
		if s.changed = total(done) > 0; err != nil {
			return err
		}
		return c.print(s, done, false)
	})
}

func (c *cleanCmd) rule(s *session) (states []job.State, until time.Time, err error) {
	states, until = c.State, s.now
	if len(states) == 0 {
		states = []job.State{job.Completed, job.Cancelled}
	}
	for _, state := range states {
		if !state.Ended() {
			return nil, until, usage(fmt.Sprintf("--state %s: only completed, dead and cancelled jobs have ended", state), "'queuectl cancel' withdraws a job")
		}
	}
	if c.OlderThan != "" {
		age, err := job.ParseDuration(c.OlderThan)
		if err != nil {
			return nil, until, usage("--older-than: "+err.Error(), "")
		}
		until = until.Add(-age)
	}
	return states, until, nil
}

// forget lets jobs go state by state, and adds up what it came to.
func forget(ctx context.Context, q *queue.Queue, states []job.State, until time.Time, dryRun bool) (queue.Forgotten, error) {
	sum := queue.Forgotten{Jobs: map[job.State]int{}}
	for _, state := range states {
		f, err := q.Forget(ctx, state, until, dryRun)
		for state, n := range f.Jobs {
			sum.Jobs[state] = n // once, if it was named twice
		}
		sum.Outputs += f.Outputs
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func total(f queue.Forgotten) (n int) {
	for _, jobs := range f.Jobs {
		n += jobs
	}
	return n
}

func jobWords(f queue.Forgotten) string {
	var words []string
	for _, state := range job.States {
		if n := f.Jobs[state]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(words, ", ")
}

func (c *cleanCmd) print(s *session, f queue.Forgotten, dryRun bool) error {
	switch n := total(f); {
	case s.quiet:
	case s.format.machine():
		v := cleanView{DryRun: dryRun && c.DryRun, Jobs: map[string]int{}, Outputs: f.Outputs}
		for state, n := range f.Jobs {
			v.Jobs[state.String()] = n
		}
		return s.document(v)
	case n == 0:
		s.printf("There is nothing to forget.")
	case dryRun:
		s.printf("Would forget %s (%s).", count(n, "job"), jobWords(f))
	default:
		s.printf("Forgot %s (%s), removed %s of output.", count(n, "job"), jobWords(f), count(f.Outputs, "file"))
	}
	return nil
}
