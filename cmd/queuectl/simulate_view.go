package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/simulate"
)

// simulationView is a simulation as JSON.
type simulationView struct {
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Set      map[string]string `json:"set"`
	Workers  *int              `json:"workers"` // null = those that were there
	Seed     uint64            `json:"seed"`
	Hooks    int               `json:"hooks"` // of the jobs, those that come as in the record whatever becomes of their jobs
	Recorded measuresView      `json:"recorded"`
	AsItWas  measuresView      `json:"as_it_was"`
	WhatIf   *measuresView     `json:"what_if"` // null = nothing was to be different
}

// measuresView is the figures of one column as JSON; durations are in seconds.
type measuresView struct {
	Jobs        int        `json:"jobs"`
	Completed   int        `json:"completed"`
	Dead        int        `json:"dead"`
	Cancelled   int        `json:"cancelled"`
	Waiting     int        `json:"waiting"`
	Refused     int        `json:"refused"`
	Ended       int        `json:"ended"`
	Runs        int        `json:"runs"`
	Retries     int        `json:"retries"`
	Wait        spreadView `json:"wait"`
	Turnaround  spreadView `json:"turnaround"`
	Makespan    float64    `json:"makespan"`
	Throughput  float64    `json:"throughput"`
	Busy        float64    `json:"busy"`
	Slots       float64    `json:"slots"`
	Utilisation float64    `json:"utilisation"`
}

type spreadView struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func viewSimulation(sim *simulation) simulationView {
	v := simulationView{
		Set: sim.scenario.Set, Workers: optional(sim.scenario.Workers), Seed: sim.scenario.Seed, Hooks: sim.record.Hooks(),
		Recorded: viewMeasures(sim.recorded), AsItWas: viewMeasures(sim.asItWas),
	}
	v.From, v.To = sim.record.Span()
	if sim.different {
		v.WhatIf = new(viewMeasures(sim.whatIf))
	}
	return v
}

func viewMeasures(m simulate.Measures) measuresView {
	return measuresView{
		Jobs: m.Jobs, Completed: m.Completed, Dead: m.Dead, Cancelled: m.Cancelled, Waiting: m.Waiting,
		Refused: m.Refused, Ended: m.Ended, Runs: m.Runs, Retries: m.Retries,
		Wait: viewSpread(m.Wait), Turnaround: viewSpread(m.Turnaround),
		Makespan: m.Makespan.Seconds(), Throughput: m.Throughput,
		Busy: m.Busy.Seconds(), Slots: m.Slots, Utilisation: m.Utilisation,
	}
}

func viewSpread(s simulate.Spread) spreadView {
	return spreadView{s.P50.Seconds(), s.P90.Seconds(), s.P99.Seconds(), s.Max.Seconds()}
}

// figure is a row of the table: a number of each column, and how it is said.
type figure struct {
	name  string
	of    func(*simulate.Measures) float64
	words func(float64) string
	spare bool // nothing to say if it is 0 in all columns
}

// figures returns the rows, in order.
func figures() []figure {
	number := func(n func(*simulate.Measures) int) func(*simulate.Measures) float64 {
		return func(m *simulate.Measures) float64 { return float64(n(m)) }
	}
	rows := []figure{
		{"jobs", number(func(m *simulate.Measures) int { return m.Jobs }), whole, false},
		{"completed", number(func(m *simulate.Measures) int { return m.Completed }), whole, false},
		{"dead", number(func(m *simulate.Measures) int { return m.Dead }), whole, false},
		{"cancelled", number(func(m *simulate.Measures) int { return m.Cancelled }), whole, true},
		{"not ended", number(func(m *simulate.Measures) int { return m.Waiting }), whole, true},
		{"refused", number(func(m *simulate.Measures) int { return m.Refused }), whole, true},
		{"runs", number(func(m *simulate.Measures) int { return m.Runs }), whole, false},
		{"retries", number(func(m *simulate.Measures) int { return m.Retries }), whole, false},
	}
	rows = append(rows, spreadFigures("wait", func(m *simulate.Measures) simulate.Spread { return m.Wait })...)
	rows = append(rows, spreadFigures("turnaround", func(m *simulate.Measures) simulate.Spread { return m.Turnaround })...)
	return append(rows,
		figure{"makespan", func(m *simulate.Measures) float64 { return m.Makespan.Seconds() }, inSeconds, false},
		figure{"throughput", func(m *simulate.Measures) float64 { return m.Throughput }, rate, false},
		figure{"busy", func(m *simulate.Measures) float64 { return m.Busy.Seconds() }, inSeconds, false},
		figure{"slots", func(m *simulate.Measures) float64 { return m.Slots }, tenths, false},
		figure{"utilisation", func(m *simulate.Measures) float64 { return 100 * m.Utilisation }, percent, false},
	)
}

func spreadFigures(name string, of func(*simulate.Measures) simulate.Spread) []figure {
	row := func(part string, pick func(simulate.Spread) time.Duration) figure {
		return figure{name + " " + part, func(m *simulate.Measures) float64 { return pick(of(m)).Seconds() }, inSeconds, false}
	}
	return []figure{
		row("p50", func(s simulate.Spread) time.Duration { return s.P50 }),
		row("p90", func(s simulate.Spread) time.Duration { return s.P90 }),
		row("p99", func(s simulate.Spread) time.Duration { return s.P99 }),
		row("max", func(s simulate.Spread) time.Duration { return s.Max }),
	}
}

func whole(v float64) string     { return fmt.Sprintf("%.0f", v) }
func tenths(v float64) string    { return fmt.Sprintf("%.1f", v) }
func percent(v float64) string   { return fmt.Sprintf("%.1f %%", v) }
func rate(v float64) string      { return fmt.Sprintf("%.3g/s", v) }
func inSeconds(v float64) string { return threeDigits(time.Duration(v * float64(time.Second))) }

// printSimulation shows the columns side by side, and how far the change changes what was simulated.
func printSimulation(s *session, sim *simulation) {
	from, to := sim.record.Span()
	const layout = "2006-01-02 15:04:05"
	s.fields(
		[2]string{"record", from.Local().Format(layout) + " to " + to.Local().Format(layout)},
		[2]string{"what if", plain(sim.change())},
	)
	t := table{header: []string{"", "RECORDED", "AS IT WAS"}}
	columns := []*simulate.Measures{&sim.recorded, &sim.asItWas}
	if sim.different {
		t.header = append(t.header, "WHAT IF", "CHANGE")
		columns = append(columns, &sim.whatIf)
	}
	for _, f := range figures() {
		row, something := []cell{text(f.name)}, !f.spare
		for _, m := range columns {
			row = append(row, text(f.words(f.of(m))))
			something = something || f.of(m) != 0
		}
		if sim.different {
			row = append(row, difference(f.of(&sim.asItWas), f.of(&sim.whatIf)))
		}
		if something {
			t.add(row...)
		}
	}
	t.print(s)
	sim.hint(s)
}

// change says what is different.
func (sim *simulation) change() string {
	var words []string
	for _, key := range job.Keys() {
		if value, given := sim.scenario.Set[key]; given {
			words = append(words, key+" = "+value)
		}
	}
	if n := sim.scenario.Workers; n > 0 {
		words = append(words, count(n, "worker"))
	}
	return strings.Join(words, ", ")
}

// difference says how far a figure has changed.
func difference(from, to float64) cell {
	const least = 0.0005 // of the figure: less is not shown
	switch {
	case from == to || from != 0 && math.Abs(to-from)/from < least:
		return text("=")
	case from == 0:
		return text("new")
	}
	return text(fmt.Sprintf("%+.1f %%", 100*(to-from)/from))
}

// hint says what the figures leave out.
func (sim *simulation) hint(s *session) {
	if open := sim.record.Open(); open > 0 {
		s.hint(fmt.Sprintf("%s had not ended in the record; what has not takes part, and is not counted", count(open, "job")))
	}
	if hooks := sim.record.Hooks(); hooks > 0 && sim.different {
		s.hint(fmt.Sprintf("%s came as in the record; none is made or left out for jobs that end in another way", count(hooks, "hook")))
	}
	if !sim.different {
		s.hint("nothing is different; --set KEY=VALUE and --workers N say what should be")
	}
}
