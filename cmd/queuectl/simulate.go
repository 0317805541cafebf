package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/simulate"
)

type simulateCmd struct {
	Set     []string `sep:"none" placeholder:"KEY=VALUE" help:"A setting, from the start to the end. Can be repeated."`
	Workers *int     `placeholder:"N" help:"Runs at a time, from the start to the end, in all queues. Default: the workers that were there."`
	From    string   `placeholder:"MOMENT" help:"Begin there, with what was there."`
	To      string   `placeholder:"MOMENT" help:"Stop there, as if the log ended."`
	Seed    uint64   `placeholder:"N" help:"Of the lots for runs that the log does not have. Default: 0."`
}

// Help is shown below the usage line.
func (simulateCmd) Help() string {
	return `What would have happened with other settings or workers: the jobs come as they came, and their runs
last and end as they did, through the same rules as ever, under a clock that jumps. No command is run
and nothing is written.

RECORDED is what was, AS IT WAS is the simulation without any change: where the two differ, the
simulation is wrong. WHAT IF is the simulation with the change. A run that the log does not have,
such as a further attempt of a dead job, is that of another job of the same queue at the same attempt.

` + momentHelp + `

Examples:

  queuectl simulate --workers 8
  queuectl simulate --set backoff_base=3 --set max_retries=5
  queuectl simulate --set timeout=30s --from 7d -o json`
}

// Run simulates.
func (c *simulateCmd) Run(ctx context.Context, s *session) error {
	scenario, err := c.scenario(ctx, s)
	if err != nil {
		return err
	}
	part, err := c.stretch(s)
	if err != nil {
		return err
	}
	return s.existing(ctx, func(q *queue.Queue) error {
		record, readErr := recordOf(ctx, q, part)
		if _, damaged := errors.AsType[*eventlog.CorruptError](readErr); readErr != nil && !damaged {
			return readErr
		}
		sim := simulation{record: record, scenario: scenario, different: len(scenario.Set) > 0 || scenario.Workers > 0}
		if err := sim.run(ctx); err != nil {
			return firstOf(readErr, err)
		}
		return firstOf(readErr, sim.print(s))
	})
}

// idleSettings are about what a simulation does not have: processes, output, and jobs that ended long ago.
var idleSettings = []string{"kill_grace", "output_tail", "output_max", "retention_completed", "retention_dead"}

// scenario reads what is to be different.
func (c *simulateCmd) scenario(ctx context.Context, s *session) (simulate.Scenario, error) {
	sc := simulate.Scenario{
		Set: map[string]string{}, Seed: c.Seed,
		Interrupted: func() bool { return ctx.Err() != nil },
	}
	config := job.DefaultConfig()
	for _, entry := range c.Set {
		key, value, given := strings.Cut(entry, "=")
		if !given {
			return sc, usage("--set "+entry+": expected KEY=VALUE", "'queuectl config list' shows the keys")
		}
		if _, twice := sc.Set[key]; twice {
			return sc, usage("--set "+key+" is given twice", "")
		}
		canonical, err := config.Set(key, value)
		if err != nil {
			return sc, err
		}
		sc.Set[key] = canonical
		if slices.Contains(idleSettings, key) {
			s.warn(key + " changes nothing in a simulation")
		}
	}
	if c.Workers != nil {
		if *c.Workers < 1 || *c.Workers > simulate.MostWorkers {
			return sc, usage(fmt.Sprintf("--workers must be 1 to %d, but is %d", simulate.MostWorkers, *c.Workers), "")
		}
		sc.Workers = *c.Workers
	}
	return sc, nil
}

// stretch is a part of the log, as it was asked for.
type stretch struct {
	from, to         queue.Moment
	fromText, toText string
}

func (c *simulateCmd) stretch(s *session) (part stretch, err error) {
	part.fromText, part.toText = c.From, c.To
	if part.from, err = readMoment(s, "from", c.From); err == nil {
		part.to, err = readMoment(s, "to", c.To)
	}
	return part, err
}

// recordOf reads a part of the log. If the log is damaged it returns what is sound, with the damage.
func recordOf(ctx context.Context, q *queue.Queue, part stretch) (*simulate.Record, error) {
	from, to, err := part.positions(ctx, q)
	if err != nil {
		return nil, err
	}
	recorder := simulate.NewRecorder(from)
	begin, err := q.Replay(ctx)
	if err != nil {
		return nil, err
	}
	defer begin.Close() // only reads: nothing can be lost
	if begin.Position() != 0 {
		recorder.Resume(begin.State().Jobs)
	}
	err = q.ReadFrom(ctx, begin.Position()+1, func(r queue.Record) error {
		if to != 0 && r.At.Position > to {
			return errEnough
		}
		recorder.Take(r.At, r.Event)
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return recorder.Record(), err
}

// positions finds the places that the moments mean; 0 = before the first event, and after the last.
func (part stretch) positions(ctx context.Context, q *queue.Queue) (from, to job.Position, err error) {
	if part.from.IsZero() && part.to.IsZero() {
		return 0, 0, nil
	}
	past, err := q.Replay(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer past.Close() // only reads: nothing can be lost
	if !part.from.IsZero() {
		at, err := past.Find(ctx, part.from)
		if err != nil && !errors.Is(err, queue.ErrBeforeFirst) {
			return 0, 0, fmt.Errorf("--from: %w", err)
		}
		if from = at.Position; part.from.Position != 0 {
			from-- // the event itself is a part
		}
	}
	if !part.to.IsZero() {
		at, err := past.Find(ctx, part.to)
		if err != nil {
			return 0, 0, fmt.Errorf("--to: %w", err)
		}
		to = at.Position
	}
	if to != 0 && to <= from {
		return 0, 0, usage(fmt.Sprintf("--from %s is after --to %s", part.fromText, part.toText), "")
	}
	return from, to, nil
}

// simulation is a record beside what would have been.
type simulation struct {
	record    *simulate.Record
	scenario  simulate.Scenario
	different bool // from what was

	recorded, asItWas, whatIf simulate.Measures
}

func (sim *simulation) run(ctx context.Context) (err error) {
	sim.recorded = sim.record.Measures()
	asItWas := simulate.Scenario{Seed: sim.scenario.Seed, Interrupted: sim.scenario.Interrupted}
	if sim.asItWas, err = simulate.Run(sim.record, asItWas); err == nil && sim.different {
		sim.whatIf, err = simulate.Run(sim.record, sim.scenario)
	}
	if errors.Is(err, simulate.ErrInterrupted) {
		return ctx.Err()
	}
	return err
}

func (sim *simulation) print(s *session) error {
	switch {
	case s.quiet:
	case s.format.machine():
		return s.document(viewSimulation(sim))
	default:
		printSimulation(s, sim)
	}
	return nil
}
