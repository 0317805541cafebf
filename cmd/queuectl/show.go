package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
)

type showCmd struct {
	ID    string `arg:"" name:"id" help:"The job."`
	Graph bool   `help:"Draw the jobs that come before and after it as a tree, with their states."`
	atFlag
}

// Help is shown below the usage line.
func (showCmd) Help() string {
	return `Examples:

  queuectl show job1
  queuectl show job1 -o json
  queuectl show --graph job1
  queuectl show job1 --at '2030-01-31 08:00'`
}

// Run shows the job.
func (c *showCmd) Run(ctx context.Context, s *session) error {
	return s.ask(ctx, c.atFlag, func(q source) error {
		j, err := q.Job(ctx, c.ID)
		if err != nil {
			return err
		}
		if c.Graph {
			return drawGraph(ctx, s, q, c.ID)
		}
		return showJob(ctx, s, q, j)
	})
}

// showJob prints one job with everything that is known about it.
func showJob(ctx context.Context, s *session, q source, j job.Job) error {
	if j.State != job.Processing { // what lives then is the run itself
		j.LeftBehind = q.LeftBehind(j.Run)
	}
	if s.quiet {
		s.printf("%s", j.Spec.ID)
		return nil
	}
	if !s.asTable() {
		return s.document(j)
	}
	family, err := aboutFamily(ctx, q, j)
	if err != nil {
		return err
	}
	hooks, err := q.Hooks(ctx, j.Spec.ID)
	if err != nil {
		return err
	}
	about := slices.Concat(aboutSpec(s, j, hooks), family, aboutRuns(s, j))
	if len(j.LeftBehind) > 0 {
		about = append(about, [2]string{"left behind", "processes " + strings.Trim(fmt.Sprint(j.LeftBehind), "[]")})
	}
	s.fields(about...)
	return nil
}

func aboutSpec(s *session, j job.Job, hooks []job.Job) [][2]string {
	spec := j.Spec
	cwd := spec.Cwd
	if !filepath.IsAbs(cwd) {
		cwd = filepath.Join(j.CallerDir, cwd)
	}
	what := "command"
	if spec.Kind != "" {
		what = "handler"
	}
	pairs := [][2]string{
		{"job", plain(spec.ID)},
		{"state", s.paint(stateColour(j.State), stateOf(j))},
		{what, plain(commandLine(spec))},
		{"directory", plain(cwd)},
		{"queue", plain(queueName(spec)) + unless(!j.QueuePaused, " (paused)")},
		{"key", plain(spec.ConcurrencyKey)},
		{"priority", unless(spec.Priority == 0, fmt.Sprint(spec.Priority))},
		{"deadline", s.when(spec.Deadline)},
		{"timeout", durationWords(spec.Timeout)},
		{"retries", fmt.Sprint(j.MaxRetries)},
		{"backoff", backoffWords(spec)},
		{"retry on", codeWords(spec.RetryOn)},
		{"dead on", codeWords(spec.DeadOn)},
		{"snooze on", snoozeWords(spec)},
		{"on crash", unless(spec.OnCrash == job.CrashRetry, spec.OnCrash.String())},
		{"unique key", plain(spec.UniqueKey)},
		{"unique scope", unless(spec.UniqueKey == "", scopeWords(spec))},
		{"secrets", plain(strings.Join(spec.SecretEnv, ", "))},
		{"stdin", plain(spec.Stdin)},
		{"on complete", hookWords(spec.OnComplete, job.Completed, hooks)},
		{"on dead", hookWords(spec.OnDead, job.Dead, hooks)},
		{"hook of", plain(spec.Env[job.HookJob])},
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		pairs = append(pairs, [2]string{"environment", plain(name + "=" + spec.Env[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Tags)) {
		pairs = append(pairs, [2]string{"tag", plain(name + "=" + spec.Tags[name])})
	}
	return append(pairs, [2]string{"extra", plain(string(spec.Extra))})
}

// stateOf is the state of a job, and that it is held.
func stateOf(j job.Job) string {
	return j.State.String() + unless(j.ParentsLeft == 0, fmt.Sprintf(" (after %d)", j.ParentsLeft)) + unless(!j.Held, ", held") + unless(!j.QueuePaused, " (paused)")
}

func aboutRuns(s *session, j job.Job) [][2]string {
	return [][2]string{
		{"enqueued", s.when(j.EnqueuedAt)},
		{"created", unless(j.CreatedAt.Equal(j.EnqueuedAt), s.when(j.CreatedAt))},
		{"updated", s.when(j.UpdatedAt)},
		{"next attempt", s.when(j.NextAttemptAt)},
		{"attempts", attempts(j) + " failed"},
		{"runs", unless(j.Runs == 0, fmt.Sprint(j.Runs))},
		{"crashes", unless(j.Crashes == 0, fmt.Sprint(j.Crashes))},
		{"last run", lastRun(s, j)},
		{"finished", s.when(j.FinishedAt)},
		{"last error", strings.Join(lines(j.LastError), "\n")},
	}
}

func lastRun(s *session, j job.Job) string {
	if j.Run == 0 {
		return ""
	}
	words := fmt.Sprintf("%d, started %s", j.Run, s.when(j.StartedAt))
	switch {
	case j.State == job.Processing && j.KillAsked:
		words += ", being ended"
	case j.State == job.Processing:
		words += ", running"
	case j.Signal != 0:
		words += fmt.Sprintf(", ended by signal %d", j.Signal)
	case j.Exit != nil:
		words += fmt.Sprintf(", exit code %d", *j.Exit)
	}
	return words
}

// when prints a moment relative to now and by the clock on the wall; "" for the zero time.
func (s *session) when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s)", relative(s.now, t), t.Local().Format(time.DateTime))
}

// scopeWords say which jobs must not have the unique key of one that is to be enqueued.
func scopeWords(spec job.Spec) string {
	switch {
	case spec.UniqueScope == job.ScopeWaiting:
		return "no other that waits"
	case spec.UniqueFor > 0:
		return "no other that waits, runs, or was enqueued within " + job.FormatDuration(spec.UniqueFor)
	}
	return "no other that waits or runs"
}

func unless(hidden bool, words string) string {
	if hidden {
		return ""
	}
	return words
}

func durationWords(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return job.FormatDuration(*d)
}

func codeWords(codes job.ExitCodes) string {
	var words []string
	for _, code := range codes {
		words = append(words, fmt.Sprint(code))
	}
	return strings.Join(words, ", ")
}

func snoozeWords(spec job.Spec) string {
	if spec.SnoozeOn == nil {
		return ""
	}
	return codeWords(spec.SnoozeOn) + ", for " + job.FormatDuration(cmp.Or(spec.Snooze, job.DefaultSnooze))
}

// backoffWords says what the job itself says about the time between its attempts.
func backoffWords(spec job.Spec) string {
	var words []string
	if spec.Backoff != "" {
		words = append(words, plain(string(spec.Backoff)))
	}
	if spec.BackoffBase != nil {
		words = append(words, fmt.Sprintf("base %v", *spec.BackoffBase))
	}
	if spec.BackoffMax != nil {
		words = append(words, "at most "+job.FormatDuration(*spec.BackoffMax))
	}
	if spec.BackoffJitter != nil {
		words = append(words, fmt.Sprintf("jitter %v", *spec.BackoffJitter))
	}
	return strings.Join(words, ", ")
}

// lines cuts a text of somebody else's into lines that are fit for a terminal.
func lines(text string) []string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range all {
		all[i] = plain(strings.TrimSuffix(line, "\r"))
	}
	return all
}

// hookWords says what a hook is, and which jobs it has become.
func hookWords(raw json.RawMessage, when job.State, hooks []job.Job) string {
	if raw == nil {
		return ""
	}
	words := string(raw)
	if hook, err := job.ParseHook(raw); err == nil {
		if words = commandLine(hook); job.IsAddress(hook) {
			words = hook.Argv[len(job.PostCommand)]
		}
	}
	var ids []string
	for _, hook := range hooks {
		if hook.Spec.Env[job.HookState] == when.String() {
			ids = append(ids, hook.Spec.ID+" "+hook.State.String())
		}
	}
	if more := len(ids) - mostRelatives; more > 0 {
		ids = append([]string{fmt.Sprintf("%d earlier", more)}, ids[more:]...)
	}
	switch len(ids) {
	case 0:
	case 1:
		words += "  (job " + ids[0] + ")"
	default:
		words += "  (jobs " + strings.Join(ids, ", ") + ")"
	}
	return plain(words)
}
