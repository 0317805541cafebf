package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is what the programme did. Its JSON is for other programs; fields are only added.
type report struct {
	Commit      string      `json:"commit"`
	Go          string      `json:"go"`
	System      string      `json:"system"`
	CPUs        int         `json:"cpus"`
	Seed        uint64      `json:"seed"`
	Began       time.Time   `json:"began"`
	Budget      float64     `json:"budget_seconds"`
	Seconds     float64     `json:"seconds"`
	Interrupted bool        `json:"interrupted,omitempty"`
	Rows        []rowReport `json:"rows"`
}

type rowReport struct {
	Name     string         `json:"name"`
	About    string         `json:"about"`
	Figure   string         `json:"figure"`
	Count    int            `json:"count"`             // of the figure
	Usual    string         `json:"in_go_test"`        // how many every run of the tests has
	Target   int            `json:"target,omitempty"`  // of a long run; 0 = all
	Figures  map[string]int `json:"figures"`           // that one, and what else was counted
	Units    int            `json:"units"`             // runs of a test
	Seconds  float64        `json:"seconds"`           //
	Failures []failed       `json:"failures"`          //
	Skipped  string         `json:"skipped,omitempty"` // what it needs and did not find
	Notes    []string       `json:"notes,omitempty"`   // such as who noticed a plant, and how fast
}

// failed is a unit that failed.
type failed struct {
	Dir   string `json:"dir"`   // its output, its directories
	Again string `json:"again"` // the command that runs it again
	Error string `json:"error"`
}

func (r *report) failures() (n int) {
	for i := range r.Rows {
		n += len(r.Rows[i].Failures)
	}
	return n
}

func (r *report) json() ([]byte, error) {
	for i := range r.Rows {
		if r.Rows[i].Failures == nil {
			r.Rows[i].Failures = []failed{} // a list in JSON, whatever is in it
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Commit %s, seed %d, %s with %d CPUs, %s, %s: %v of %v",
		r.Commit, r.Seed, r.System, r.CPUs, r.Go, r.Began.Format(time.DateOnly), seconds(r.Seconds), seconds(r.Budget))
	if r.Interrupted {
		b.WriteString(", interrupted")
	}
	b.WriteString(".\n\n| row | this run | in `go test` | long run | failures | time |\n|---|---|---|---|---|---|\n")
	for i := range r.Rows {
		row := &r.Rows[i]
		goal := "all"
		if row.Target > 0 {
			goal = thousands(row.Target)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %v |\n", row.Name, row.figures(), row.Usual, goal, len(row.Failures), seconds(row.Seconds))
	}
	for i := range r.Rows {
		for _, f := range r.Rows[i].Failures {
			fmt.Fprintf(&b, "\n- **%s** failed: %s. Kept in `%s`; again: `%s`\n", r.Rows[i].Name, f.Error, f.Dir, f.Again)
		}
	}
	for i := range r.Rows {
		const most = 200 // the last ones; JSON has all
		notes := r.Rows[i].Notes
		for _, note := range notes[max(0, len(notes)-most):] {
			fmt.Fprintf(&b, "\n- %s: %s", r.Rows[i].Name, note)
		}
		if len(notes) > 0 {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// figures is the figure of the row first, and then what else was counted.
func (r *rowReport) figures() string {
	if r.Skipped != "" && r.Count == 0 {
		return r.Skipped
	}
	parts := []string{fmt.Sprintf("%s %s", thousands(r.Count), r.Figure)}
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		if name != r.Figure && name != "tests" {
			parts = append(parts, fmt.Sprintf("%s %s", thousands(r.Figures[name]), name))
		}
	}
	return strings.Join(parts, ", ")
}

func seconds(s float64) time.Duration { return time.Duration(s) * time.Second }

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
