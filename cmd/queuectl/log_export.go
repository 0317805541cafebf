package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

type logExportCmd struct {
	From   string `placeholder:"MOMENT" help:"Begin with the commit that holds this position, or with the first one of this time or later."`
	To     string `placeholder:"MOMENT" help:"End with the commit that holds this position, or with the last one that was not made later than this time."`
	GoTest bool   `name:"go-test" help:"Write a Go test of the log instead: its events as Go values, and what they come to."`
	Job    string `placeholder:"ID" help:"With --go-test: leave out what is about other jobs."`
}

// Help is shown below the usage line.
func (logExportCmd) Help() string {
	return `JSON lines: first one about the log, then one for each commit, with its events as log list shows
them and with the exact bytes whose hash the next commit carries. So another program can check the
whole chain, and that the events are what the bytes say, without the log:
docs/guides/check_export.py is one, in Python.

Everything that is durable now is exported, in whole commits. Workers may go on meanwhile.

With --go-test it is one file of Go: the events as values that can be read and edited, a test that
folds them and compares the state at the end, and a place for what must hold after each event. Package
queuetest folds them, and finds the few events that lead to a wrong state.

` + momentHelp + `

Examples:

  queuectl log export > log.jsonl && python3 check_export.py log.jsonl
  queuectl log export | zstd > log.jsonl.zst
  queuectl log export --from 1200 --to 1300 | jq -c .events[]
  queuectl log export --go-test --job job1 > recorded/recorded_test.go`
}

// Run exports. It opens no queue, so that it needs no memory for its state.
func (c *logExportCmd) Run(ctx context.Context, s *session) error {
	from, to, err := (&spanFlags{From: c.From, To: c.To}).read(s)
	if err != nil {
		return err
	}
	switch {
	case c.GoTest && c.From != "":
		return usage("--go-test begins with the first event: there is no state to begin with later", "--job leaves out other jobs, and queuetest.Shrink what does not matter")
	case c.GoTest:
		return c.writeTest(ctx, s, to)
	case c.Job != "":
		return usage("--job needs --go-test", "'queuectl log list --job "+c.Job+"' shows the events of a job")
	}
	if s.format == formatJSON {
		s.format = formatJSONL // it is a line each, whatever the form
	}
	last, damage := lastCommit(ctx, s.dir, to)
	if _, damaged := errors.AsType[*eventlog.CorruptError](damage); damage != nil && !(damaged && last.Position > 0) {
		return damage
	}
	trail, err := queue.OpenTrail(s.dir, from.Position)
	if err != nil {
		return err
	}
	defer trail.Close() // only reads: nothing can be lost
	begun := false
	for {
		commit, err := trail.Next(ctx)
		if errors.Is(err, io.EOF) || err == nil && commit.Commit > last.Commit {
			return noCommits(c)
		}
		if err != nil {
			return err
		}
		if !begun && time.Unix(0, commit.Time).Before(from.Time) {
			continue
		}
		if !begun {
			begun = true
			if err := s.document(exportHead(trail.ID(), commit.Entry, last)); err != nil {
				return err
			}
		}
		if err := s.document(exportCommit(commit)); err != nil {
			return err
		}
		if commit.Commit == last.Commit {
			return damage
		}
	}
}

// noCommits is the failure of a part of the log in which nothing was committed.
func noCommits(c *logExportCmd) error {
	return &failure{code: "no_such_moment", message: fmt.Sprintf("there is no commit from %s to %s", orElse(c.From, "the beginning"), orElse(c.To, "the end"))}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// lastCommit returns the head of the commit that an export up to the moment ends with. If the log is damaged
// before that, it is the last sound one.
func lastCommit(ctx context.Context, dir string, to queue.Moment) (eventlog.Head, error) {
	r, err := eventlog.NewReaderAt(dir, eventlog.Position(to.Position))
	if err != nil {
		return eventlog.Head{}, err
	}
	defer r.Close() // only reads: nothing can be lost
	if to.IsZero() {
		return r.SkipToEnd(ctx)
	}
	var last eventlog.Head
	for {
		e, err := r.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) && to.Position != 0:
			return last, fmt.Errorf("position %d %w", to.Position, eventlog.ErrBeyond) // the next one, which is not there yet
		case errors.Is(err, io.EOF):
			return last, nil
		case err != nil:
			return last, err
		case to.Position != 0:
			return e.Head(), nil
		case !time.Unix(0, e.Time).After(to.Time):
			last = e.Head()
		}
	}
}

// exportHeadView is the first line of an export.
type exportHeadView struct {
	Export int        `json:"export"` // version of the form
	LogID  string     `json:"log_id"`
	Format int        `json:"format"` // of the frames
	From   exportFrom `json:"from"`
	Head   headView   `json:"head"` // of the last commit of the export
}

// exportFrom is where an export begins, and what the chain must begin with.
type exportFrom struct {
	Commit   uint64 `json:"commit"`
	Position uint64 `json:"position"`
	Prev     string `json:"prev"`
}

func exportHead(id eventlog.LogID, first *eventlog.Entry, last eventlog.Head) exportHeadView {
	const version, frameFormat = 1, 1
	return exportHeadView{
		Export: version, LogID: id.String(), Format: frameFormat,
		From: exportFrom{uint64(first.Commit), uint64(first.First), first.Prev.String()},
		Head: headView{uint64(last.Commit), uint64(last.Position), last.Hash.String()},
	}
}

// exportCommitView is a commit as a line of an export. All of it can be made from Frame.
type exportCommitView struct {
	Commit        uint64            `json:"commit"`
	Position      uint64            `json:"position"` // of the first event
	Time          time.Time         `json:"time"`
	TimeNS        string            `json:"time_ns"` // Unix, exact: too many digits for a number in many programs
	SyncedThrough uint64            `json:"synced_through"`
	Prev          string            `json:"prev"`
	SHA256        string            `json:"sha256"`
	Actor         exportActorView   `json:"actor"`
	Reason        *string           `json:"reason"`
	Events        []exportEventView `json:"events"`
	Frame         []byte            `json:"frame"`
}

type exportActorView struct {
	actorView
	Dir  string `json:"dir"`
	Path string `json:"path"`
}

type exportEventView struct {
	Position    job.Position   `json:"position"`
	Kind        string         `json:"kind"`
	Number      job.Kind       `json:"number"`
	Job         *string        `json:"job"`
	JobPosition *job.Position  `json:"job_position"`
	Data        map[string]any `json:"data"`
}

func exportCommit(c queue.Commit) exportCommitView {
	m := c.Meta
	v := exportCommitView{
		Commit: uint64(c.Commit), Position: uint64(c.First), Time: time.Unix(0, c.Time).UTC(),
		TimeNS: strconv.FormatInt(c.Time, 10), SyncedThrough: uint64(c.SyncedThrough),
		Prev: c.Prev.String(), SHA256: c.Hash.String(), Reason: optional(m.Reason), Frame: c.Frame,
		Actor: exportActorView{actorView{User: m.User, Host: m.Host, PID: m.PID, Program: m.Program}, m.Dir, m.Path},
	}
	for _, r := range c.Records {
		key := job.Of(r.Event)
		if job.KindOf(r.Event) == job.KindJobEnqueued {
			key = r.At.Position
		}
		v.Events = append(v.Events, exportEventView{
			Position: r.At.Position, Kind: job.KindOf(r.Event).String(), Number: job.KindOf(r.Event),
			Job: optional(r.ID), JobPosition: optional(key), Data: eventData(r.Event),
		})
	}
	return v
}
