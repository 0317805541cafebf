// Package gotest writes a recorded log as a Go test: the events as literals that can be read and edited, and
// what they must come to. It decides nothing and folds nothing; who calls it says what the end is.
package gotest

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
)

// Commit is a commit of the log.
type Commit struct {
	At     job.At // of its first event
	Events []job.Event
}

// End is the state that a log must come to.
type End struct {
	Counts projection.Counts
	Digest [32]byte
}

// module is where the packages are that the test imports.
const module = "github.com/queuectl/queuectl/"

// Write writes the test: a file of a package of its own.
func Write(w io.Writer, log []Commit, end End) error {
	s := source{imports: []string{"fmt", "testing", module + "job", module + "queue", module + "queuetest"}}
	s.line("// The log as it was recorded. Every event stands for itself: what is taken out, changed or added here need")
	s.line("// only fit what comes before it.")
	s.body.WriteString("var log = queuetest.Log{")
	for i := range log {
		if i == 0 {
			s.line("")
		}
		s.commit(&log[i])
	}
	s.line("}")
	s.actorList()
	_, err := io.WriteString(w, s.head()+test(end)+s.body.String())
	return err
}

// source is the part of the file that depends on the events.
type source struct {
	body    strings.Builder
	imports []string
	actors  []job.Actor
}

func (s *source) line(format string, args ...any) { fmt.Fprintf(&s.body, format+"\n", args...) }

func (s *source) commit(c *Commit) {
	actor := ""
	if c.At.Actor != nil {
		actor = fmt.Sprintf(", Actor: %s", s.actor(*c.At.Actor))
	}
	s.line("\t{At: job.At{Position: %d, Time: %d%s}, Events: []job.Event{", c.At.Position, c.At.Time, actor)
	for _, e := range c.Events {
		s.body.WriteString("\t\t")
		s.event(e)
		s.body.WriteString(",\n")
	}
	s.line("\t}},")
}

// actor returns the name of the variable that holds an actor.
func (s *source) actor(a job.Actor) string {
	i := slices.Index(s.actors, a)
	if i < 0 {
		i = len(s.actors)
		s.actors = append(s.actors, a)
	}
	return fmt.Sprintf("actor%d", i+1)
}

func (s *source) actorList() {
	if len(s.actors) == 0 {
		return
	}
	s.line("\n// Who wrote the commits.\nvar (")
	width := len(fmt.Sprintf("actor%d", len(s.actors)))
	for i := range s.actors {
		fmt.Fprintf(&s.body, "\t%-*s = ", width, fmt.Sprintf("actor%d", i+1))
		s.literal(&s.actors[i])
		s.body.WriteString("\n")
	}
	s.line(")")
}

// head is the file up to its first declaration.
func (s *source) head() string {
	var b strings.Builder
	b.WriteString("// Package recorded holds a log of queuectl as a test, as 'queuectl log export --go-test' has written it. It is\n" +
		"// yours to edit.\npackage recorded\n\nimport (\n")
	var ours []string
	for _, path := range slices.Sorted(slices.Values(s.imports)) {
		if strings.HasPrefix(path, module) {
			ours = append(ours, path)
			continue
		}
		fmt.Fprintf(&b, "\t%q\n", path)
	}
	b.WriteString("\n")
	for _, path := range ours {
		fmt.Fprintf(&b, "\t%q\n", path)
	}
	b.WriteString(")\n\n")
	return b.String()
}

// test is the test itself.
func test(end End) string {
	var counts strings.Builder
	for _, state := range job.States {
		if n := end.Counts[state]; n > 0 {
			fmt.Fprintf(&counts, ", job.%s: %d", constants[state], n)
		}
	}
	return strings.NewReplacer(
		"COUNTS", strings.TrimPrefix(counts.String(), ", "), "DIGEST", hex.EncodeToString(end.Digest[:]),
	).Replace(`func TestRecordedLog(t *testing.T) {
	end := queuetest.Replay(t, log, func(v queue.View, r queue.Record) {
		// What must hold after every event goes here; v is the state and r the event. To find the shortest log
		// in which it does not hold: queuetest.Shrink.
	})
	want := map[job.State]int{COUNTS}
	for _, state := range job.States {
		if got := end.Status().Counts[state]; got != want[state] {
			t.Errorf("%d jobs are %s, recorded were %d", got, state, want[state])
		}
	}
	// The digest is that of the whole state. It may differ with another version of queuectl: then leave it out.
	if got, want := fmt.Sprintf("%x", end.Digest()), "DIGEST"; got != want {
		t.Errorf("the digest of the state is %s, recorded was %s", got, want)
	}
}

`)
}
