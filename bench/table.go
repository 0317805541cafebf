package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
)

// result is one line of the table. Lines of the same work differ in N, and give a slope together.
type result struct {
	Row        int      `json:"row"`
	Work       string   `json:"work"`
	N          int      `json:"n,omitempty"`
	Figure     string   `json:"figure"` // what was measured, for people
	Value      float64  `json:"value"`
	Unit       string   `json:"unit"`
	Bound      string   `json:"bound,omitempty"` // what it was measured beside, for people
	BoundValue float64  `json:"bound_value,omitempty"`
	Ratio      float64  `json:"ratio,omitempty"` // of the value to the bound, round by round
	Goal       string   `json:"goal,omitempty"`
	Reached    *bool    `json:"reached,omitempty"`
	Slope      *float64 `json:"slope,omitempty"` // exponent of N with which the cost of one grows: 0 is flat
	Syncs      string   `json:"syncs,omitempty"` // as strace counted them

	cost float64 // of one job or event; 0 = no slope
}

// must adds a goal, and whether it was reached.
func (r result) must(goal string, reached bool) result {
	r.Goal, r.Reached = goal, &reached
	return r
}

// addSlopes says, in the last line of each series, how the cost of one grows from the first to the last.
func addSlopes(results []result) {
	type ends struct{ first, last int }
	series := map[string]ends{}
	for i, r := range results {
		if r.cost <= 0 || r.N == 0 {
			continue
		}
		e, known := series[r.Work]
		if !known {
			e.first = i
		}
		e.last = i
		series[r.Work] = e
	}
	for _, e := range series {
		first, last := results[e.first], &results[e.last]
		if last.N > first.N {
			last.Slope = new(math.Log(last.cost/first.cost) / math.Log(float64(last.N)/float64(first.N)))
		}
	}
}

func (r result) line() string {
	return fmt.Sprintf("row %d: %s, n = %d: %s (bound %s, ratio %.2f, syncs %s)", r.Row, r.Work, r.N, r.Figure, r.Bound, r.Ratio, r.Syncs)
}

func writeTable(w io.Writer, l *lab, results []result) {
	size := "A full run"
	if l.quick {
		size = "A run with -quick, which is for seeing that the rows work"
	}
	fmt.Fprintf(w, "%s: %s, %s/%s, %d processors.\n\n", size, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintln(w, "| # | work | n | measured | bound in the same run | ratio | must reach | reached | slope | syncs |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range results {
		n, reached, slope := "", "", ""
		if r.N != 0 {
			n = power(r.N)
		}
		if r.Reached != nil {
			reached = map[bool]string{true: "yes", false: "**no**"}[*r.Reached]
		}
		if r.Slope != nil {
			slope = strconv.FormatFloat(*r.Slope, 'f', 2, 64)
		}
		fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			r.Row, r.Work, n, r.Figure, r.Bound, ratio(r.Ratio), r.Goal, reached, slope, r.Syncs)
	}
}

func ratio(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// power writes a power of ten from 10³ as one, and other numbers in digits.
func power(n int) string {
	if e := int(math.Round(math.Log10(float64(n)))); e >= 3 && e <= 9 && n == int(math.Pow10(e)) {
		return "10" + string([]rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[e])
	}
	return strconv.Itoa(n)
}

func writeJSON(path string, l *lab, results []result) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	enc := json.NewEncoder(f)
	machine := struct {
		Go         string `json:"go"`
		OS         string `json:"os"`
		Arch       string `json:"arch"`
		Processors int    `json:"processors"`
		Quick      bool   `json:"quick"`
	}{runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), l.quick}
	if err := enc.Encode(machine); err != nil {
		return err
	}
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return f.Close()
}
