package main

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// selectorHelp says in the help of commands that act on jobs what they can be named by.
const selectorHelp = `A job is named by its id, by a beginning that no other id has, or as last: the one that was enqueued
last. Several are selected by a range of positions such as 3-7, by all, or by flags, which narrow down
what was named. A job that the command is not for is an error if it was named, and else left out.`

// filterFlags choose jobs by what they are.
type filterFlags struct {
	Tag []string `sep:"none" placeholder:"NAME=VALUE" help:"Only jobs with this tag. Can be repeated."`
	matchFlags
}

// matchFlags are those of filterFlags that mean nothing else where a job is described.
type matchFlags struct {
	Match string `placeholder:"TEXT" help:"Only jobs with this text in the id, the command or last_error."`
	Since string `placeholder:"MOMENT" help:"Only jobs enqueued at this moment or later: a position, a time, or how long ago (2h)."`
	Until string `placeholder:"MOMENT" help:"Only jobs enqueued at this moment or earlier."`
}

// narrow adds to the filter what the flags say. Moments that are positions become its bounds.
func (c *filterFlags) narrow(s *session, f *projection.Filter) error {
	for _, entry := range c.Tag {
		name, value, given := strings.Cut(entry, "=")
		if !given {
			return usage("--tag "+entry+": expected NAME=VALUE", "")
		}
		if f.Tags == nil {
			f.Tags = map[string]string{}
		}
		f.Tags[name] = value
	}
	return c.matchFlags.narrow(s, f)
}

func (c *matchFlags) narrow(s *session, f *projection.Filter) error {
	f.Match = c.Match
	since, err := readMoment(s, "since", c.Since)
	if err != nil {
		return err
	}
	until, err := readMoment(s, "until", c.Until)
	if err != nil {
		return err
	}
	if since.Position != 0 {
		f.After, f.Before = max(f.After, since.Position-1), math.MaxUint64 // a bound, even if it is that of the first job
	}
	if until.Position != 0 {
		f.Before = until.Position + 1
	}
	if !since.Time.IsZero() {
		f.Since = since.Time.UnixNano()
	}
	if !until.Time.IsZero() {
		f.Until = until.Time.UnixNano()
	}
	if f.Until != 0 && f.Until < f.Since || f.Before != 0 && f.Before <= f.After+1 {
		return usage(fmt.Sprintf("--since %s is after --until %s", c.Since, c.Until), "")
	}
	return nil
}

// nameArgs name jobs.
type nameArgs struct {
	IDs    []string `arg:"" optional:"" name:"job" help:"Ids, beginnings of ids, last, all, or ranges of positions such as 3-7."`
	All    bool     `help:"All jobs that the command is for."`
	DryRun bool     `help:"Only say which they are."`
	Yes    bool     `short:"y" help:"Do not ask."`
}

// chooseFlags name jobs, or select them by what they are.
type chooseFlags struct {
	nameArgs
	State []job.State `placeholder:"STATE,..." help:"Only jobs in these states."`
	Queue string      `placeholder:"NAME" help:"Only jobs of this queue."`
	filterFlags
}

// deadFlags are chooseFlags for dead jobs.
type deadFlags struct {
	nameArgs
	Queue string `placeholder:"NAME" help:"Only jobs of this queue."`
	filterFlags
}

func (c *chooseFlags) filter(s *session) (projection.Filter, error) {
	f := projection.Filter{States: c.State, Queue: c.Queue}
	return f, c.narrow(s, &f)
}

func (c *deadFlags) filter(s *session) (projection.Filter, error) {
	f := projection.Filter{Queue: c.Queue}
	return f, c.narrow(s, &f)
}

// deed is what a command does to jobs, and how it says so.
type deed struct {
	action   queue.Action
	selects  []job.State // of jobs that nobody named only these, if no states are given; nil = what the action is for
	verb     string      // "cancel"
	command  string      // "dlq retry"; "" = verb
	done     string      // "Requested cancellation of", in front of an id
	destroys string      // what is lost; "" = nothing that could not be had back
	gone     bool        // the jobs are not there any more: it is asked about even if they were named
	empty    string      // what to say if nothing matched; "" = as usual
}

// act does something to the jobs that were chosen.
func (n *nameArgs) act(ctx context.Context, s *session, f projection.Filter, d deed) error {
	if d.command == "" {
		d.command = d.verb
	}
	narrow := !reflect.DeepEqual(f, projection.Filter{})
	switch {
	case n.All && len(n.IDs) > 0:
		return usage("give ids, or --all", "flags such as --queue narrow down what was named as well as --all")
	case !n.All && len(n.IDs) == 0 && !narrow:
		return usage("no job given: give ids, --all, or flags that select jobs", fmt.Sprintf("'queuectl %s --help' has examples", d.command))
	}
	if err := d.checkStates(&f); err != nil {
		return err
	}
	return s.existing(ctx, func(q *queue.Queue) error {
		sel, err := d.choose(ctx, q, n.IDs, f)
		if err != nil {
			return err
		}
		if len(sel.Keys) == 0 {
			return d.nothing(n.All && !narrow)
		}
		if n.DryRun {
			return d.rehearse(ctx, s, q, sel)
		}
		if err := n.ask(ctx, s, d, sel); err != nil {
			return err
		}
		return d.carryOut(ctx, s, q, sel)
	})
}

// choose selects the jobs. What is always asked about is tried first: the question is about what would be done.
func (d *deed) choose(ctx context.Context, q *queue.Queue, words []string, f projection.Filter) (projection.Selection, error) {
	fit := d.action
	if d.selects != nil {
		fit.States = d.selects
	}
	sel, err := q.Select(ctx, fit, words, f)
	if err == nil && d.gone {
		var would queue.Acted
		would, err = q.Try(ctx, d.action, sel)
		sel.Keys = would.Keys
	}
	return sel, err
}

// checkStates refuses states that the deed is not for.
func (d *deed) checkStates(f *projection.Filter) error {
	for _, state := range f.States {
		if !slices.Contains(d.action.States, state) {
			return usage(fmt.Sprintf("--state %s: 'queuectl %s' is for %s jobs", state, d.command, stateWords(d.action.States)), "")
		}
	}
	return nil
}

func stateWords(states []job.State) string {
	words := make([]string, len(states))
	for i, state := range states {
		words[i] = state.String()
	}
	if last := len(words) - 1; last > 0 {
		return strings.Join(words[:last], ", ") + " and " + words[last]
	}
	return words[0]
}

// nothing is the failure of a selection without jobs.
func (d *deed) nothing(ofAll bool) error {
	f := &failure{code: "nothing_matched", message: "no job matches", hint: fmt.Sprintf("'queuectl %s' is for %s jobs", d.command, stateWords(d.action.States))}
	if ofAll && d.empty != "" {
		f.message, f.hint = d.empty, ""
	}
	return f
}

// ask has a person confirm what is lost, or what is about many jobs that nobody named. Where there is none, what
// can be had back is done.
func (n *nameArgs) ask(ctx context.Context, s *session, d deed, sel projection.Selection) error {
	many := !sel.Named && len(sel.Keys) > 1
	if n.Yes || !many && !d.gone {
		return nil
	}
	question := fmt.Sprintf("%s %s?", capitalised(d.verb), count(len(sel.Keys), "job"))
	if d.destroys != "" {
		question = strings.TrimSuffix(question, "?") + " " + d.destroys + "?"
	} else if !s.attended() {
		return nil
	}
	return s.confirm(ctx, question)
}

func capitalised(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// rehearse says what the deed would be done to.
func (d *deed) rehearse(ctx context.Context, s *session, q *queue.Queue, sel projection.Selection) error {
	would, err := q.Try(ctx, d.action, sel)
	if err != nil {
		return err
	}
	jobs, err := look(ctx, s, q, would.Keys)
	if err != nil {
		return err
	}
	return jobs.print(s, "Would "+d.verb)
}

// carryOut does it and says so.
func (d *deed) carryOut(ctx context.Context, s *session, q *queue.Queue, sel projection.Selection) (err error) {
	var jobs subjects
	if d.gone {
		if jobs, err = look(ctx, s, q, sel.Keys); err != nil {
			return err
		}
	}
	acted, err := q.Act(ctx, d.action, sel, s.progressOf(capitalised(d.verb), len(sel.Keys)))
	s.changed = len(acted.Keys) > 0
	if err != nil {
		return err
	}
	if acted.Left > 0 {
		s.warn(fmt.Sprintf("%s changed meanwhile and %s left out", count(acted.Left, "job"), isAre(acted.Left, "was", "were")))
	}
	if len(acted.Keys) == 0 {
		return &failure{code: "nothing_matched", message: "no job matches any more"}
	}
	if d.gone {
		jobs = jobs.only(acted.Keys)
	} else if jobs, err = look(ctx, s, q, acted.Keys); err != nil {
		return err
	}
	return jobs.print(s, d.done)
}

// subjects are the jobs that something was or would be done to, as far as they will be printed.
type subjects struct {
	keys []job.Position
	ids  []string  // for people, and for --quiet
	jobs []job.Job // for programs
}

func look(ctx context.Context, s *session, q *queue.Queue, keys []job.Position) (l subjects, err error) {
	l.keys = keys
	if s.format.machine() && !s.quiet {
		l.jobs, err = q.Jobs(ctx, keys)
	} else {
		l.ids, err = q.IDs(ctx, keys)
	}
	return l, err
}

// only leaves out the jobs that have none of the keys, which are some of theirs.
func (l subjects) only(keys []job.Position) subjects {
	left := subjects{keys: keys}
	wanted := make(map[job.Position]bool, len(keys))
	for _, key := range keys {
		wanted[key] = true
	}
	for i, id := range l.ids {
		if wanted[l.keys[i]] {
			left.ids = append(left.ids, id)
		}
	}
	for _, j := range l.jobs {
		if wanted[j.Key] {
			left.jobs = append(left.jobs, j)
		}
	}
	return left
}

// print prints them: for people on a terminal only their number, if they are many.
func (l subjects) print(s *session, what string) error {
	switch {
	case s.quiet:
		for _, id := range l.ids {
			s.printf("%s", id)
		}
	case s.format.machine():
		return jobListing.print(s, l.jobs)
	case s.out.terminal && len(l.keys) > tableRows:
		s.printf("%s %s", what, count(len(l.keys), "job"))
	default:
		for _, id := range l.ids {
			s.printf("%s %s", what, plain(id))
		}
	}
	return nil
}

// progressOf tells a person how far a large command has come; nil if there is none, or nothing to tell.
func (s *session) progressOf(what string, total int) func(done, total int) {
	const large = 10_000
	if !s.errTerminal || s.quiet || total < large {
		return nil
	}
	return func(done, total int) {
		fmt.Fprintf(s.stderr, "\r%s: %d of %s\x1b[K", what, done, count(total, "job"))
		if done == total {
			fmt.Fprint(s.stderr, "\r\x1b[K")
		}
	}
}
