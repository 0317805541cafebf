package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/storm"
)

func TestSelftestVerdict_SaysWhatIsWrongAndWhereItIs(t *testing.T) {
	t.Parallel()
	if err := selftestVerdict(storm.Outcome{Report: &storm.Report{Acknowledged: 5}}); err != nil {
		t.Errorf("nothing is wrong: got %v", err)
	}
	o := storm.Outcome{Place: "/kept/here", Kept: true, Report: &storm.Report{
		Lost: []string{"a", "b"}, Overlaps: []storm.Overlap{{Job: "c"}}, Unfinished: []string{"d: waits"}, Unseen: []string{"e"},
		Orphans: []string{"f"}, Left: []string{"runs/1.lock"}, Damage: []*eventlog.CorruptError{{}},
	}}
	got, ok := errors.AsType[*failure](selftestVerdict(o))
	const want = "the selftest has failed: 2 answers lost, 1 run at the same time as another of its job, 1 job not completed, " +
		"1 completion that no command has seen, 1 orphan left, 1 file left, 1 place of the log damaged"
	if !ok || got.exit != exitFailed || got.message != want || !strings.Contains(got.hint, "everything is kept in /kept/here") {
		t.Errorf("got %+v", got)
	}
	v := viewSelftest(o, 7, 0)
	if v.Sound || !v.Kept || len(v.Lost) != 2 || len(v.Overlaps) != 1 || len(v.Damage) != 1 {
		t.Errorf("got %+v", v)
	}
}

func TestSelftestFailure_NamesWhatIsKeptAndWhatToDo(t *testing.T) {
	t.Parallel()
	s := &session{dir: "/q"}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		o    storm.Outcome
		exit int
		code string
		hint string
	}{
		{"interrupted", over, context.Canceled, storm.Outcome{Place: "/p"}, exitInterrupted, "", ""},
		{"interrupted, and not removed", over, context.Canceled, storm.Outcome{Place: "/p", Kept: true}, exitInterrupted, "not_removed", "kept in /p"},
		{"a process ended", t.Context(), &storm.EndedError{Role: storm.Worker}, storm.Outcome{Place: "/p", Kept: true}, exitFailed, "selftest_failed", "kept in /p"},
		{"a mount point", t.Context(), storm.ErrElsewhere, storm.Outcome{}, exitFailed, "other_file_system", "--in"},
		{"no permission", t.Context(), os.ErrPermission, storm.Outcome{}, exitFailed, "permission", "--in"},
		{"a full disk", t.Context(), eventlog.ErrDiskFull, storm.Outcome{Place: "/p"}, exitFailed, "disk_full", "free some space"},
	} {
		err := selftestFailure(tt.ctx, tt.err, tt.o)
		if code, ok := err.(exitCode); ok {
			if int(code) != tt.exit {
				t.Errorf("%s: exit code %d", tt.name, code)
			}
			continue
		}
		if f := s.explain(err); f.exit != tt.exit || f.code != tt.code || !strings.Contains(f.hint, tt.hint) {
			t.Errorf("%s: got exit %d, code %s, hint %q", tt.name, f.exit, f.code, f.hint)
		}
	}
}
