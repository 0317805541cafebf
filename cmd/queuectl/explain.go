package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type explainCmd struct {
	ID string `arg:"" name:"id" help:"The job."`
	atFlag
}

// Help is shown below the usage line.
func (explainCmd) Help() string {
	return `Why the job waits, runs, or is dead; how it came there; when it can run next; and what you can do
about it. What it says rests on events, whose positions are named, or on what is so now.

Examples:

  queuectl explain job1
  queuectl explain job1 --at 03:00
  queuectl explain job1 -o json | jq -r '.reasons[].code'`
}

// Run explains.
func (c *explainCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		e, err := q.Explain(ctx, c.ID)
		if errors.Is(err, job.ErrNotFound) {
			if _, absent := q.History(ctx, c.ID); absent == nil {
				return &failure{hint: fmt.Sprintf("it has left the queue; 'queuectl history %s' tells its story", job.Quote([]string{c.ID})), err: err}
			}
		}
		if _, damaged := errors.AsType[*eventlog.CorruptError](err); err != nil && !damaged {
			return err
		}
		advice := adviceFor(&e)
		if c.At != "" {
			advice = nil // the past cannot be helped
		}
		switch {
		case s.quiet:
			s.printf("%s", e.Job.Spec.ID)
		case s.asTable():
			printExplanation(s, &e, advice)
		default:
			return firstOf(s.document(viewExplanation(s, &e, advice)), err)
		}
		return err
	})
}

func printExplanation(s *session, e *queue.Explanation, advice []string) {
	const latest = 5 // of the story; 'history' has all of it
	story := e.Story
	left := max(0, len(story)-latest)
	var before, because []string
	if left > 0 {
		before = append(before, fmt.Sprintf("… %s earlier", count(left, "event")))
	}
	for i := range story[left:] {
		r := &story[left+i]
		before = append(before, fmt.Sprintf("%s: %s%s", s.when(r.Event.At.When()), storyWords(r), quoted(r)))
	}
	for i := range e.Reasons {
		because = append(because, reasonWords(s, e, &e.Reasons[i])+quoted(&e.Reasons[i]))
	}
	s.fields(
		[2]string{"job", plain(e.Job.Spec.ID)},
		[2]string{"state", s.paint(stateColour(e.Job.State), stateOf(e.Job))},
		[2]string{"because", s.sentences(because)},
		[2]string{"before", s.sentences(before)},
		[2]string{"next run", nextWords(s, e)},
		[2]string{"deadline", unless(e.Job.State.Ended(), s.when(e.Job.Spec.Deadline))},
		[2]string{"on complete", hookWords(e.Job.Spec.OnComplete, job.Completed, e.Hooks)},
		[2]string{"on dead", hookWords(e.Job.Spec.OnDead, job.Dead, e.Hooks)},
		[2]string{"hook of", plain(e.Job.Spec.Env[job.HookJob])},
		[2]string{"you can", strings.Join(advice, "\n")},
	)
}

// sentences are the value of a field: each begins a line, and goes on in others where the terminal is narrow.
func (s *session) sentences(list []string) string {
	const beside = len("next run:  ") // what stands in front of them
	var broken []string
	for _, sentence := range list {
		broken = append(broken, strings.Join(wrap(sentence, s.out.width-beside), "\n"))
	}
	return strings.Join(broken, "\n")
}

// wrap breaks a line between words; what continues it is indented. A width that is too small for that, or
// unknown, breaks nothing.
func wrap(line string, width int) (broken []string) {
	const least, indent = 20, "  "
	if width < least {
		return []string{line}
	}
	now := ""
	for i, word := range strings.Split(line, " ") {
		switch {
		case i == 0:
			now = word
		case runewidth.StringWidth(now+" "+word) > width:
			broken, now = append(broken, now), indent+word
		default:
			now += " " + word
		}
	}
	return append(broken, now)
}

// nextWords says when a job can run next.
func nextWords(s *session, e *queue.Explanation) string {
	switch {
	case e.Next.After(e.Now):
		return s.when(e.Next)
	case e.Next.IsZero():
		return ""
	case slices.ContainsFunc(e.Reasons, func(r queue.Reason) bool { return r.Code == queue.CodeTurn }):
		return "at once"
	case slices.ContainsFunc(e.Reasons, func(r queue.Reason) bool {
		return r.Code == queue.CodeConcurrency || r.Code == queue.CodeParents || r.Code == queue.CodeKeyTaken
	}):
		return "when what it waits for has ended"
	}
	return "as soon as a worker takes it"
}

// quoted names the event that a reason rests on.
func quoted(r *queue.Reason) string {
	if r.Event == nil {
		return ""
	}
	return fmt.Sprintf(" (event %d)", r.Event.At.Position)
}

// adviceFor returns what a person can do about it: commands, or words where no command helps.
func adviceFor(e *queue.Explanation) []string {
	id := job.Quote([]string{e.Job.Spec.ID})
	var advice []string
	for _, r := range e.Reasons {
		switch r.Code {
		case queue.CodeHeld:
			advice = append(advice, "queuectl release "+id)
		case queue.CodeParents:
			if len(r.Jobs) > 0 {
				advice = append(advice, "queuectl explain "+job.Quote(r.Jobs[:1]), "queuectl show --graph "+id)
			}
		case queue.CodeDependency:
			advice = append(advice, "queuectl show --graph "+id, "queuectl dlq retry "+id)
		case queue.CodeBackoff:
			advice = append(advice, "queuectl retry "+id)
		case queue.CodeNoWorker, queue.CodeStopping, queue.CodeBusy, queue.CodeNotServed:
			advice = append(advice, startAdvice(e.Job.Spec))
		case queue.CodePaused:
			advice = append(advice, "queuectl queue resume "+job.Quote([]string{queueName(e.Job.Spec)}))
		case queue.CodeConcurrency:
			advice = append(advice, "queuectl queue set "+job.Quote([]string{queueName(e.Job.Spec)})+" --concurrency none")
		case queue.CodeRate:
			advice = append(advice, "queuectl queue set "+job.Quote([]string{queueName(e.Job.Spec)})+" --rate none")
		case queue.CodeKeyTaken:
			advice = append(advice, "queuectl explain "+job.Quote(r.Jobs[:1]))
		case queue.CodeRunning:
			advice = append(advice, "queuectl logs -f "+id, "queuectl kill "+id)
		case queue.CodeDeadline:
			if e.Job.Runs > 0 {
				advice = append(advice, "queuectl logs "+id)
			}
			advice = append(advice, "queuectl dlq retry "+id)
		case queue.CodeRetriesUsedUp, queue.CodeExitCode, queue.CodeCrashes, queue.CodeOnCrash:
			advice = append(advice, "queuectl logs "+id, "queuectl dlq retry "+id)
		}
	}
	if name := e.Job.Spec.Tags[job.CronTag]; name != "" {
		advice = append(advice, "queuectl cron show "+job.Quote([]string{name}))
	}
	return slices.Compact(advice)
}

func startAdvice(spec job.Spec) string {
	switch {
	case spec.Kind != "":
		return fmt.Sprintf("start the program that has a handler for %q", spec.Kind)
	case queueName(spec) != job.DefaultQueue:
		return "queuectl worker start --queues " + job.Quote([]string{queueName(spec)})
	}
	return "queuectl worker start"
}

// explanationView is an explanation as JSON. Fields and codes are only ever added.
type explanationView struct {
	Job      string       `json:"job"`
	State    job.State    `json:"state"`
	Position job.Position `json:"position"` // of the last event that this rests on …
	Time     *time.Time   `json:"time"`     // … and when it was written
	Now      time.Time    `json:"now"`      // the moment that it is about
	NextRun  *time.Time   `json:"next_run_at"`
	Reasons  []reasonView `json:"reasons"`
	Story    []reasonView `json:"story"`
	Advice   []string     `json:"advice"`
}

// reasonView is a reason; what its code has no use for is null or empty.
type reasonView struct {
	Code    queue.Code  `json:"code"`
	Text    string      `json:"text"`  // for people: it may change
	Event   any         `json:"event"` // that it rests on, as in history
	Until   *time.Time  `json:"until"`
	Ahead   int         `json:"ahead"` // due jobs that come first …
	First   []aheadView `json:"first"` // … and the first few of them
	Workers []string    `json:"workers"`
	Jobs    []string    `json:"jobs"` // ids of the jobs that it is about
}

type aheadView struct {
	ID       string    `json:"id"`
	Priority int32     `json:"priority"`
	DueSince time.Time `json:"due_since"`
}

func viewExplanation(s *session, e *queue.Explanation, advice []string) any {
	v := explanationView{
		Job: e.Job.Spec.ID, State: e.Job.State, Position: e.From.Position, Time: optional(e.From.Time), Now: e.Now,
		NextRun: optional(e.Next), Reasons: []reasonView{}, Story: []reasonView{}, Advice: append([]string{}, advice...),
	}
	for i := range e.Reasons {
		r := &e.Reasons[i]
		v.Reasons = append(v.Reasons, viewReason(r, e.Job.Spec.ID, reasonWords(s, e, r)))
	}
	for i := range e.Story {
		r := &e.Story[i]
		v.Story = append(v.Story, viewReason(r, e.Job.Spec.ID, storyWords(r)))
	}
	return v
}

func viewReason(r *queue.Reason, id, words string) reasonView {
	v := reasonView{
		Code: r.Code, Text: words, Until: optional(r.Until), Ahead: r.Ahead, First: []aheadView{}, Workers: []string{}, Jobs: append([]string{}, r.Jobs...),
	}
	if r.Event != nil {
		v.Event = viewEvent(story{*r.Event, r.Event.ID})
	}
	for _, a := range r.First {
		v.First = append(v.First, aheadView{ID: a.ID, Priority: a.Priority, DueSince: a.Since})
	}
	for _, w := range r.Workers {
		v.Workers = append(v.Workers, w.ID)
	}
	return v
}
