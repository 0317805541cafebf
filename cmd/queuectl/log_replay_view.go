package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// stepView is an event and what it changed as JSON.
type stepView struct {
	eventView
	Changes []changeView `json:"changes"`
}

type changeView struct {
	Of    string `json:"of"`
	Field string `json:"field"`
	From  any    `json:"from"` // null = there was nothing
	To    any    `json:"to"`
}

// digestView is the last line of a replay as JSON. Its kind is that of no event.
type digestView struct {
	Kind     string         `json:"kind"` // "Digest"
	Position job.Position   `json:"position"`
	Time     *time.Time     `json:"time"` // of the event there; null = there is none
	SHA256   string         `json:"sha256"`
	Counts   map[string]int `json:"counts"` // by state
	Head     headView       `json:"head"`   // of the last whole commit up to the position
}

// show prints an event and what it changed.
func (p *replay) show(step *queue.Step) error {
	s := p.s
	if s.asTable() {
		printStep(s, step)
		return nil
	}
	return p.document(viewStep(step))
}

// document prints one part of the answer: a line, or with -o json an element of the array.
func (p *replay) document(v any) error {
	s := p.s
	if s.format != formatJSON {
		return s.document(v)
	}
	before := ",\n"
	if !p.begun {
		before = "[\n"
	}
	p.begun = true
	text, err := json.MarshalIndent(v, "  ", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s  %s", before, text)
	return nil
}

func viewStep(step *queue.Step) stepView {
	v := stepView{eventView: viewEvent(story{step.Record, step.ID}).(eventView), Changes: []changeView{}}
	for _, c := range step.Changes {
		v.Changes = append(v.Changes, changeView(c))
	}
	return v
}

// digest prints what the replay has come to.
func (p *replay) digest(past *queue.Replay) error {
	s, status, sum := p.s, past.Status(), past.Digest()
	digest := hex.EncodeToString(sum[:])
	switch {
	case s.quiet:
		s.printf("%s", digest)
	case s.asTable():
		s.fields(
			[2]string{"position", fmt.Sprintf("%d of %s", status.Position, status.Time.Local().Format(time.DateTime))},
			[2]string{"jobs", countWords(status.Counts)},
			[2]string{"head", fmt.Sprintf("commit %d, position %d, sha256 %v", status.Head.Commit, status.Head.Position, status.Head.Hash)},
			[2]string{"digest", digest},
		)
	default:
		v := digestView{
			Kind: "Digest", Position: status.Position, SHA256: digest, Counts: map[string]int{},
			Head: headView{uint64(status.Head.Commit), uint64(status.Head.Position), hex.EncodeToString(status.Head.Hash[:])},
		}
		if status.Position != 0 {
			v.Time = &status.Time
		}
		for _, state := range job.States {
			v.Counts[state.String()] = status.Counts[state]
		}
		if err := p.document(v); err != nil {
			return err
		}
		if s.format == formatJSON {
			s.printf("\n]")
		}
	}
	return nil
}

// printStep shows an event to people as a line, and what it changed below it.
func printStep(s *session, step *queue.Step) {
	what, details := eventWords(step.Event)
	line := fmt.Sprintf("%d  %s", step.At.Position, step.At.When().Local().Format("2006-01-02 15:04:05.000"))
	for _, words := range []string{plain(step.ID), what, plain(details)} {
		if words != "" {
			line += "  " + words
		}
	}
	s.printf("%s", line)
	for i := 0; i < len(step.Changes); {
		of := step.Changes[i].Of
		var words []string
		for ; i < len(step.Changes) && step.Changes[i].Of == of; i++ {
			c := &step.Changes[i]
			words = append(words, fmt.Sprintf("%s %s → %s", plain(c.Field), changedWords(c.From), changedWords(c.To)))
		}
		s.printf("    %s %s", s.paint(grey, of+":"), strings.Join(words, ", "))
	}
}

// changedWords says what something was or is.
func changedWords(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case time.Time:
		return v.Local().Format("15:04:05.000")
	}
	return plain(fmt.Sprint(v))
}
